// Uses Square as a shop does, through Square's own library, and prints what it got.
// Arguments: the address of Square, the access token, the main location, another location.

import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { SquareClient, SquareError } = require("square");
const [environment, token, main, market] = process.argv.slice(2);
const client = new SquareClient({ token, environment, maxRetries: 0 });

/** What a call is refused with, as the library understands it. */
async function refusal(call) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof SquareError)) throw error;
    return { status: error.statusCode, errors: error.errors.map(({ category, code }) => `${category} ${code}`) };
  }
  return "was not refused";
}

async function all(page, limit = 10_000) {
  const items = [];
  for await (const item of page) {
    items.push(item);
    if (items.length >= limit) break;
  }
  return items;
}

const pay = (sourceId, idempotencyKey, more = {}) =>
  client.payments.create({ sourceId, idempotencyKey, amountMoney: { amount: 1299n, currency: "USD" }, ...more });

const got = {};

const status = await client.oAuth.retrieveTokenStatus();
got.token = { application: status.clientId, mayReadPayments: status.scopes.includes("PAYMENTS_READ") };
const me = await client.merchants.get({ merchantId: "me" });
got.mainLocation = me.merchant.mainLocationId;
const { locations } = await client.locations.list();
got.locations = locations.map(({ id, status, capabilities }) => ({ id, status, capabilities }));
got.location = (await client.locations.get({ locationId: main })).location.name;

const listed = await all(await client.payments.list({ locationId: market, limit: 7, sortOrder: "ASC" }));
got.listed = { count: listed.length, ids: new Set(listed.map(({ id }) => id)).size };
got.inOrder = listed.every(({ createdAt }, at) => at === 0 || listed[at - 1].createdAt <= createdAt);
got.amounts = [...new Set(listed.map(({ amountMoney }) => typeof amountMoney.amount))];
const ofDefault = await all(await client.payments.list());
got.locationsOfDefault = [...new Set(ofDefault.map(({ locationId }) => locationId))];

const authorized = (await pay("cnon:card-nonce-ok", "key-authorized", { autocomplete: false, locationId: main })).payment;
got.authorized = authorized.status;
got.cancelled = (await client.payments.cancel({ paymentId: authorized.id })).payment.status;
got.cancelledTwice = await refusal(() => client.payments.cancel({ paymentId: authorized.id }));

const lost = (await pay("cnon:card-nonce-ok", "key-lost", { autocomplete: false })).payment;
await client.payments.cancelByIdempotencyKey({ idempotencyKey: "key-lost" });
await client.payments.cancelByIdempotencyKey({ idempotencyKey: "key-of-nobody" });
got.cancelledByKey = (await client.payments.get({ paymentId: lost.id })).payment.status;

const paid = (await pay("cnon:card-nonce-ok", "key-paid", { note: "for the judge" })).payment;
const again = (await pay("cnon:card-nonce-ok", "key-paid", { note: "for the judge" })).payment;
got.paid = { status: paid.status, card: paid.cardDetails.status, sameAgain: paid.id === again.id };
got.keyReused = await refusal(() => pay("cnon:card-nonce-ok", "key-paid", { note: "something else" }));
got.keyTooLong = await refusal(() => pay("cnon:card-nonce-ok", "k".repeat(46)));
got.declines = {};
for (const nonce of ["declined", "rejected-cvv", "rejected-postalcode", "rejected-expiration"]) {
  got.declines[nonce] = await refusal(() => pay(`cnon:card-nonce-${nonce}`, `key-${nonce}`));
}
got.unknownNonce = await refusal(() => pay("cnon:nobody", "key-nobody"));

const back = { idempotencyKey: "key-back", paymentId: paid.id, amountMoney: { amount: 299n, currency: "USD" } };
const refund = (await client.refunds.refundPayment(back)).refund;
got.refund = { status: refund.status, amount: Number(refund.amountMoney.amount) };
got.refundFound = (await client.refunds.get({ refundId: refund.id })).refund.id === refund.id;
got.refundsListed = (await all(await client.refunds.list())).length;
got.refunded = Number((await client.payments.get({ paymentId: paid.id })).payment.refundedMoney.amount);
got.tooMuchBack = await refusal(() =>
  client.refunds.refundPayment({ ...back, idempotencyKey: "key-more", amountMoney: { amount: 1300n, currency: "USD" } }),
);

const createdAt = { startAt: "2020-01-01T00:00:00Z" };
const query = (sortField) => ({
  filter: { stateFilter: { states: ["CANCELED"] }, dateTimeFilter: { createdAt } },
  sort: { sortField, sortOrder: "ASC" },
});
const found = await client.orders.search({ locationIds: [main, market], limit: 1, query: query("CREATED_AT") });
const next = await client.orders.search({
  locationIds: [main, market], limit: 1, query: query("CREATED_AT"), cursor: found.cursor,
});
got.ordersCancelled = [...found.orders, ...next.orders].map(({ id }) => id).sort();
got.ordersExpected = [authorized.orderId, lost.orderId].sort();
got.ordersHaveNoMore = next.cursor === undefined;
got.wrongSort = await refusal(() => client.orders.search({ locationIds: [main], query: query("UPDATED_AT") }));
got.noLocation = await refusal(() => client.orders.search({ query: query("CREATED_AT") }));

const subscriptions = await all(await client.webhooks.subscriptions.list({ includeDisabled: true, limit: 100 }));
got.subscriptions = subscriptions.map(({ enabled }) => enabled);
got.unknownPayment = await refusal(() => client.payments.get({ paymentId: "none" }));
const stranger = new SquareClient({ token: "someone-else", environment, maxRetries: 0 });
got.stranger = await refusal(() => stranger.locations.list());

console.log(JSON.stringify(got));
