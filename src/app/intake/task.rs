//! The task that owns the inbox.

use super::opening::{Opened, Opening, Tried};
use super::{Delivery, NotTaken, Question, meter};
use crate::app::Event;
use crate::clock;
use crate::config::{Http, Ingest};
use crate::ingest::Source;
use crate::ingest::tally::{Names, OTHER};
use crate::ingest::traffic::Traffic;
use crate::store::inbox::{Inbox, Parcel, Taken};
use crate::store::{StoreError, Trouble};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Arrivals that are written together.
const TOGETHER: usize = 64;
/// A write that takes longer is as bad as one that fails: whoever waits would give up.
const SLOW: Duration = Duration::from_secs(8);
/// So long may take what reads much: a question, tidying.
const LONG: Duration = Duration::from_secs(20);
/// How often is looked for minutes that are over and letters that are to be tried again.
const TURN: Duration = Duration::from_secs(1);
/// The first tidying waits until checks have asked for what they missed.
const FIRST_TIDY: Duration = Duration::from_hours(1);
const TIDY: Duration = Duration::from_mins(5);
const TIDY_PAUSE: Duration = Duration::from_millis(100);

pub struct Task {
    http: watch::Receiver<Arc<Http>>,
    events: mpsc::WeakSender<Event>,
    heard: watch::Sender<BTreeSet<Source>>,
    opening: Opening,
    inbox: Option<Inbox>,
    /// Letters may wait to be worked through.
    letters: bool,
    names: Names,
    traffic: Arc<Traffic>,
    /// Why it can't be used.
    ill: Option<String>,
    /// Whether anybody was told how it is. Before that an alert may be open from before the start.
    is_told: bool,
    turn_at: Instant,
    tidy_at: Instant,
}

impl Task {
    pub fn new(
        opening: Opening,
        http: watch::Receiver<Arc<Http>>,
        events: mpsc::WeakSender<Event>,
        heard: watch::Sender<BTreeSet<Source>>,
    ) -> Task {
        let now = clock::instant();
        let names = Names::new(http.borrow().ingest.names_max);
        Task {
            http,
            events,
            heard,
            opening,
            inbox: None,
            letters: true,
            names,
            traffic: Arc::default(),
            ill: None,
            is_told: false,
            turn_at: now + TURN,
            tidy_at: now + FIRST_TIDY,
        }
    }

    /// Runs until nobody can send any more.
    pub async fn run(
        mut self,
        mut arrivals: mpsc::Receiver<Delivery>,
        mut questions: mpsc::Receiver<Question>,
    ) {
        let mut together = Vec::with_capacity(TOGETHER);
        self.follow();
        if timeout(SLOW, self.open()).await.is_err() {
            self.hangs();
        }
        loop {
            let now = clock::instant();
            let next = if self.letters { now } else { self.turn_at.min(self.tidy_at) };
            tokio::select! {
                number = arrivals.recv_many(&mut together, TOGETHER) => match number {
                    0 => break,
                    _ => self.take(std::mem::take(&mut together)).await,
                },
                Some(question) = questions.recv() => self.answer_in_time(question).await,
                () = sleep_until(next) => {}
            }
            meter::waiting(arrivals.len());
            let now = clock::instant();
            if timeout(SLOW, self.turn(now)).await.is_err() || timeout(LONG, self.tidy(now)).await.is_err() {
                self.hangs();
            }
        }
        // Checks under way when the agent stops still get their answers.
        while let Ok(question) = questions.try_recv() {
            self.answer_in_time(question).await;
        }
        if let Some(inbox) = self.inbox {
            timeout(SLOW, inbox.close()).await.ok();
        }
    }

    /// What is due by the clock.
    async fn turn(&mut self, now: Instant) {
        if now >= self.turn_at {
            self.turn_at = now + TURN;
            if self.inbox.is_none() {
                self.open().await;
            }
            self.fold().await;
            self.letters = true;
            self.follow();
        }
        if self.letters {
            self.work().await;
            self.tell_heard();
        }
    }

    async fn tidy(&mut self, now: Instant) {
        if now >= self.tidy_at {
            self.tidy_at = now + TIDY;
            let Some(inbox) = &mut self.inbox else { return };
            match inbox.tidy(clock::wall()).await {
                Ok(true) => self.tidy_at = now + TIDY_PAUSE,
                Ok(false) => {}
                Err(error) => self.fail(&error),
            }
        }
    }

    /// What the definitions say now of names.
    fn follow(&mut self) {
        let Ingest { names_max, counted, .. } = &self.http.borrow().ingest;
        self.names.replan(*names_max, counted.clone());
    }

    async fn open(&mut self) {
        match self.opening.attempt().await {
            Tried::NotYet => {}
            Tried::Hangs => self.fall_ill("it does not open: its disk hangs".to_owned()),
            Tried::Done(opened) => self.take_over(*opened).await,
        }
    }

    async fn take_over(&mut self, opened: Opened) {
        match opened {
            Ok((mut inbox, damage)) => {
                match inbox.names().await {
                    Ok(names) => names
                        .iter()
                        .filter(|(_, name, _)| !name.is_empty() && **name != *OTHER)
                        .for_each(|(source, name, minute)| {
                            if !matches!(source, Source::Square | Source::Resend) {
                                self.names.remember(*source, name, *minute);
                            }
                        }),
                    Err(error) => return self.fail(&error),
                }
                self.inbox = Some(inbox);
                match damage {
                    Some(damage) => {
                        tracing::error!(
                            reason = damage,
                            "what the shop had said was damaged and is put aside"
                        );
                        self.tell(false, damage.clone());
                        // Until something is written into the new one.
                        self.ill = Some(damage);
                    }
                    None => self.get_well(),
                }
            }
            Err(error) => self.fall_ill(error.to_string()),
        }
    }

    /// Writes down all of them in one transaction, then answers.
    async fn take(&mut self, deliveries: Vec<Delivery>) {
        if self.inbox.is_none() && timeout(SLOW, self.open()).await.is_err() {
            self.hangs();
        }
        let at = clock::wall();
        let minute = u32::try_from(at.as_second() / 60).unwrap_or_default();
        let slow = self.http.borrow().ingest.slow_query;
        let mut parcels: Vec<Parcel> = Vec::with_capacity(deliveries.len());
        let mut rest = Vec::with_capacity(deliveries.len());
        for Delivery { mut arrival, answer } in deliveries {
            let tallies = self.names.tally(&arrival, slow, minute);
            let (posts, pings) = (std::mem::take(&mut arrival.posts), std::mem::take(&mut arrival.pings));
            parcels.push(Parcel { key: arrival.key.take(), tallies, posts, pings });
            rest.push((arrival, answer));
        }
        meter::other_names(self.names.overflowed);
        let begun = clock::instant();
        let written = match &mut self.inbox {
            Some(inbox) => match timeout_at(begun + SLOW, inbox.take(at, &parcels)).await {
                Ok(written) => written.map_err(|error| (error.to_string(), Some(error))),
                Err(_) => Err(("it does not answer".to_owned(), None)),
            },
            None => Err((self.ill.clone().unwrap_or_default(), None)),
        };
        meter::written(clock::instant().saturating_duration_since(begun));
        match written {
            Ok(taken) => {
                let traffic = Arc::make_mut(&mut self.traffic);
                traffic.forget(self.names.take_gone());
                for (((arrival, answer), parcel), taken) in rest.into_iter().zip(&parcels).zip(taken) {
                    if taken == Taken::New {
                        traffic.take(&arrival, &parcel.tallies, slow, at);
                    }
                    answer.send(Ok(taken)).ok();
                }
                self.letters |= parcels.iter().any(|parcel| !parcel.posts.is_empty());
                self.tell_heard();
                self.get_well();
            }
            Err((why, error)) => {
                for (_, answer) in rest {
                    answer.send(Err(NotTaken::Ill(why.clone()))).ok();
                }
                match error {
                    Some(error) => self.fail(&error),
                    // What hangs may still be written, and is not counted here: it is read again from the file.
                    // However many are refused meanwhile, it is opened when its time has come.
                    None if self.inbox.is_some() => self.hangs(),
                    None => {}
                }
            }
        }
    }

    /// What was heard for the first time, whoever waits for it is told.
    fn tell_heard(&self) {
        let Some(heard) = self.inbox.as_ref().map(Inbox::heard) else { return };
        self.heard.send_if_modified(|known| {
            let before = known.len();
            known.extend(heard);
            known.len() > before
        });
    }

    async fn fold(&mut self) {
        let at = clock::wall();
        let Some(inbox) = &mut self.inbox else { return };
        let mut done = inbox.listen(at).await;
        if done.is_ok() && inbox.is_to_fold(at) {
            done = inbox.fold(at).await.map(|()| true);
        }
        match done {
            Ok(true) => self.get_well(),
            Ok(false) => {}
            Err(error) => self.fail(&error),
        }
    }

    /// Works through some of the letters whose time has come, so that what arrives meanwhile has its turn.
    async fn work(&mut self) {
        self.letters = false;
        let Some(inbox) = &mut self.inbox else { return };
        match inbox.work(clock::wall()).await {
            Ok(worked) => {
                self.letters = worked.done > 0;
                Arc::make_mut(&mut self.traffic).count(&worked.tallies);
                meter::letters(worked.done, worked.aside);
                if let Some(why) = worked.why {
                    tracing::error!(
                        letters = worked.aside,
                        why,
                        "letters of a vendor lie aside: nobody could work them through"
                    );
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    async fn answer_in_time(&mut self, question: Question) {
        if timeout(LONG, self.answer(question)).await.is_err() {
            self.hangs();
        }
    }

    async fn answer(&mut self, question: Question) {
        self.fold().await;
        let why = self.ill.clone().unwrap_or_else(|| "it is being opened".to_owned());
        let Some(inbox) = &mut self.inbox else { return question.refuse(&why) };
        let text = |error: StoreError| error.to_string();
        match question {
            Question::Pings { job, since, answer } => {
                answer.send(inbox.pings(&job, since).await.map_err(text)).ok();
            }
            Question::Sum { source, span, answer } => {
                answer.send(inbox.sum(source, span).await.map_err(text)).ok();
            }
            Question::Tallies { source, span, answer } => {
                answer.send(inbox.tallies(source, span).await.map_err(text)).ok();
            }
            Question::Silence { source, now, answer } => {
                answer.send(inbox.silence(source, now).await.map_err(text)).ok();
            }
            Question::Letters { vendor, span, answer } => {
                answer.send(inbox.letters(vendor, span).await.map_err(text)).ok();
            }
            Question::SetAside { vendor, answer } => {
                answer.send(inbox.set_aside(vendor).await.map_err(text)).ok();
            }
            Question::Columns { from, minutes, count, answer } => {
                answer.send(inbox.columns(from, minutes, count).await.map_err(text)).ok();
            }
            Question::Aside { answer } => {
                answer.send(inbox.aside().await.map_err(text)).ok();
            }
            Question::WorkAgain { vendor, answer } => {
                let again = inbox.work_again(vendor, clock::wall()).await.map_err(text);
                answer.send(again).ok();
                self.letters = true;
            }
            Question::PutAway { vendor, ids, answer } => {
                answer.send(inbox.put_away(vendor, &ids).await.map_err(text)).ok();
            }
            Question::Traffic { answer } => {
                answer.send(Ok(self.traffic.clone())).ok();
            }
        }
    }

    /// After a lock the same connection serves. After anything else the file is opened anew: on a full disk SQLite ends a
    /// transaction by itself, and the connection would take it for one that goes on.
    fn fail(&mut self, error: &StoreError) {
        if error.trouble == Trouble::Locked {
            self.fall_ill(error.to_string());
        } else {
            self.drop_inbox(error.to_string());
        }
    }

    fn hangs(&mut self) {
        self.drop_inbox(format!("it has not answered for {} s", SLOW.as_secs()));
    }

    fn drop_inbox(&mut self, why: String) {
        if let Some(inbox) = self.inbox.take() {
            self.opening.let_go(inbox);
        }
        self.fall_ill(why);
    }

    fn fall_ill(&mut self, why: String) {
        meter::up(false);
        if self.ill.replace(why.clone()).is_none() {
            tracing::error!(reason = why, "what the shop says can't be written down and is refused");
            self.tell(false, why);
        }
    }

    fn get_well(&mut self) {
        meter::up(true);
        let was_ill = self.ill.take().is_some();
        if was_ill {
            tracing::info!("what the shop says is written down again");
        }
        if was_ill || !self.is_told {
            self.tell(true, "what the shop says is written down".to_owned());
        }
    }

    /// The loop is never waited for: it may be what waits for an answer from here.
    fn tell(&mut self, well: bool, text: String) {
        self.is_told = true;
        if let Some(events) = self.events.upgrade() {
            tokio::spawn(async move {
                events.send(Event::Own { part: "ingest".into(), well, text }).await.ok();
            });
        }
    }
}
