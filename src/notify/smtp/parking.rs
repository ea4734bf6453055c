//! Connections between two messages: kept for a moment, since alerts come in groups, and then closed politely.
//!
//! Whoever uses a connection owns it. A try that is ended from outside drops its own, so that one in the middle of a
//! message never comes back here.

use lettre::transport::smtp::client::AsyncSmtpConnection;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Servers count idle connections against their limits.
const PARKED: Duration = Duration::from_secs(10);
const PARKED_MAX: usize = 4;
/// How long a parked one may take to say that it lives, or to say goodbye.
const ANSWER_MAX: Duration = Duration::from_secs(2);

#[derive(Default, Clone)]
pub struct Parking(Arc<Mutex<Lot>>);

#[derive(Default)]
struct Lot {
    parked: Vec<(u64, AsyncSmtpConnection)>,
    number: u64,
}

impl Parking {
    /// One that has just answered that it lives. Dropping this while it asks drops the connection.
    pub async fn take(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (_, mut connection) = self.with(|lot| lot.parked.pop())?;
            if timeout(ANSWER_MAX, connection.test_connected()).await == Ok(true) {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection on which a message was taken to its end.
    pub fn park(&self, connection: AsyncSmtpConnection) {
        let number = self.with(|lot| {
            lot.number += 1;
            if lot.parked.len() < PARKED_MAX {
                lot.parked.push((lot.number, connection));
            }
            lot.number
        });
        let parking = self.clone();
        tokio::spawn(async move {
            sleep(PARKED).await;
            if let Some(mut connection) = parking.remove(number) {
                // Whether it hears the goodbye is its own business.
                timeout(ANSWER_MAX, connection.abort()).await.ok();
            }
        });
    }

    fn remove(&self, number: u64) -> Option<AsyncSmtpConnection> {
        self.with(|lot| {
            let at = lot.parked.iter().position(|(known, _)| *known == number)?;
            Some(lot.parked.remove(at).1)
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut Lot) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
