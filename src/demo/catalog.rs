//! What the demo's shop sells, and its hourly catalog sync.
//!
//! Stock is counted by Square and comes with the sync: full in the morning, sold down by night, never so low in a
//! healthy shop that a day's sales would empty it.

use super::sql::{Cell, Cents, Inserts, Value, time};
use jiff::Timestamp;

/// A product of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Product {
    /// Its place in [`PRODUCTS`], and in its id.
    pub number: usize,
    pub name: &'static str,
    pub price: Cents,
    /// How many of a hundred things that customers choose are this.
    pub share: i64,
    /// Whether Square counts it: what is baked to order has no stock.
    counted: bool,
}

const fn product(number: usize, name: &'static str, cents: i64, share: i64, counted: bool) -> Product {
    Product { number, name, price: Cents(cents), share, counted }
}

/// The whole range. The first one is what faults sell out.
pub const PRODUCTS: [Product; 12] = [
    product(0, "Empanadas de carne, frozen dozen", 4200, 20, true),
    product(1, "Empanadas de pollo, frozen dozen", 4200, 15, true),
    product(2, "Empanadas de humita, frozen dozen", 3900, 8, true),
    product(3, "Empanadas caprese, frozen dozen", 3900, 8, true),
    product(4, "Empanada salteña", 575, 11, false),
    product(5, "Empanada de espinaca", 525, 6, false),
    product(6, "Alfajores clásicos, six", 1650, 9, true),
    product(7, "Alfajores de chocolate, six", 1850, 7, true),
    product(8, "Alfajores de limón, six", 1750, 4, true),
    product(9, "Alfajores clásicos, gift box of twelve", 3400, 4, true),
    product(10, "Chimichurri, jar", 950, 5, true),
    product(11, "Catering tray, assorted", 8900, 3, false),
];

/// What a customer chooses, by a number from 0 to 99.
pub fn chosen(mut number: i64) -> Product {
    for product in PRODUCTS {
        if number < product.share {
            return product;
        }
        number -= product.share;
    }
    PRODUCTS[0]
}

impl Product {
    /// The same in every shop, so that faults find it.
    pub fn id(self) -> String {
        format!("5a0e0000-0000-4000-8000-{:012x}", self.number)
    }

    /// How many are left at a time: always more than the demo, which is twenty times as fast as the past, sells of one in
    /// its best day.
    fn inventory(self, at: Timestamp) -> Option<i64> {
        let hour = at.as_second().div_euclid(3600).rem_euclid(24);
        let number = i64::try_from(self.number).unwrap_or_default();
        self.counted.then_some(self.share * (210 - 4 * hour) - 7 * number)
    }

    fn cells(self, synced: Timestamp) -> Vec<Cell> {
        vec![
            ("id", self.id().into()),
            ("squareId", format!("DEMOITEM{:04}", self.number).into()),
            ("name", self.name.into()),
            ("price", self.price.into()),
            ("active", true.into()),
            ("inventory", self.inventory(synced).into()),
            ("lastSyncAt", synced.into()),
            ("sync_status", "SYNCED".into()),
            ("is_archived", false.into()),
        ]
    }
}

/// Puts the products into an empty table, and one that is no longer sold: it is neither synced nor in stock.
pub fn create(synced: Timestamp, inserts: &mut Inserts) {
    for product in PRODUCTS {
        inserts.add("products", &product.cells(synced));
    }
    let mut retired = product(99, "Pan dulce, Christmas 2023", 2900, 0, true).cells(synced - RETIRED_FOR);
    for (column, value) in &mut retired {
        match *column {
            "active" => *value = false.into(),
            "inventory" => *value = Value::Integer(0),
            _ => {}
        }
    }
    inserts.add("products", &retired);
}

const RETIRED_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 400);

/// The time of a sync comes to all products that are sold.
pub fn sync(at: Timestamp) -> String {
    format!(r#"update "products" set "lastSyncAt" = '{}' where "active" = true"#, time(at))
}

/// The stock that a sync brings.
pub fn stock(at: Timestamp) -> impl Iterator<Item = String> {
    PRODUCTS.into_iter().filter_map(move |product| {
        let inventory = product.inventory(at)?;
        Some(format!(r#"update "products" set "inventory" = {inventory} where "id" = '{}'"#, product.id()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_a_product_by_its_share() {
        for product in PRODUCTS {
            let chosen = (0..100).filter(|number| chosen(*number) == product).count();
            assert_eq!(i64::try_from(chosen), Ok(product.share), "{product:?}");
        }
    }
}
