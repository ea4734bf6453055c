// Pages are whole without this. It keeps them up to date, shows moments in the reader's own zone, and finds rows.
"use strict";

(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const shapes = {
    clock: { hour: "2-digit", minute: "2-digit" },
    moment: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
  };

  // The text in the page is in UTC; `datetime` is what it means.
  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.textContent = at.toLocaleString(undefined, shapes[time.dataset.show] ?? shapes.moment);
      }
    }
    const told = root.querySelector("#zone");
    if (told && zone) told.textContent = `Times in ${zone.replaceAll("_", " ")}`;
  }

  // What people do to a page is theirs: what they opened, what they typed, where they are.
  const theirs = (node) => node.matches("input, select, textarea") || node.contains(document.activeElement) && node.matches("button, summary, a");

  // Makes `old` like `fresh`, changing only what differs.
  function become(old, fresh) {
    if (theirs(old) && old.tagName === fresh.tagName && !fresh.firstElementChild) {
      if (!old.matches("input, select, textarea")) old.textContent = fresh.textContent;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? "") === (b.id ?? "");
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      let found = at;
      while (found && !same(found, next)) found = next.id ? found.nextSibling : null;
      if (!found) {
        old.insertBefore(document.importNode(next, true), at);
        continue;
      }
      while (at !== found) {
        const gone = at;
        at = at.nextSibling;
        gone.remove();
      }
      at = found.nextSibling;
      if (next.nodeType === Node.ELEMENT_NODE) become(found, next);
      else if (found.nodeValue !== next.nodeValue) found.nodeValue = next.nodeValue;
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  }

  let busy = false;
  let again = false;

  async function refresh() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
      if (answer.redirected && new URL(answer.url).pathname !== location.pathname) location.reload();
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        localise(page);
        unfold(page);
        const [old, fresh] = [document.querySelector("main"), page.querySelector("main")];
        if (old && fresh) become(old, fresh);
        find();
        live(true);
      }
    } catch {
      live(false);
    } finally {
      busy = false;
      if (again) {
        again = false;
        refresh();
      }
    }
  }

  function live(works) {
    const told = document.querySelector("#live");
    if (told) {
      told.hidden = false;
      told.textContent = works ? " · live" : " · not connected: this may be out of date";
    }
  }

  function listen(where) {
    let seen = null;
    const source = new EventSource(where);
    source.addEventListener("open", () => live(true));
    source.addEventListener("error", () => live(false));
    source.addEventListener("page", (event) => {
      // The first tag is that of the page as it was when the connection came; a reconnection may have missed one.
      if (seen !== event.data) refresh();
      seen = event.data;
    });
  }

  // Rows that hold every word that is typed.
  function find() {
    for (const field of document.querySelectorAll("input[data-filters]")) {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of document.querySelectorAll(`${field.dataset.filters} tbody tr`)) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    }
  }

  // What does nothing without a script is hidden in the page as it comes.
  function unfold(root) {
    for (const field of root.querySelectorAll("[data-filters]")) field.closest("[hidden]")?.removeAttribute("hidden");
  }

  localise(document);
  unfold(document);
  document.addEventListener("input", (event) => event.target.matches("[data-filters]") && find());
  if (document.body.dataset.live) listen(document.body.dataset.live);
})();
