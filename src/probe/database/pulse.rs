//! The state of a PostgreSQL server in one question: sessions, age, cache, size, replication.
//!
//! Who may not see other sessions gets NULL for most of `pg_stat_activity` and would count too little
//! without noticing. So the question says what the role may see, and what it may not see is left out.
//!
//! A run has a fresh connection, for which the server has to read the definition of each view that is named; the
//! functions beneath them show the same to the same roles and cost it less than half.

use super::cell::Table;
use crate::outcome::Class::Connect;
use crate::outcome::{Fault, Outcome};

/// The statements of the question; [`read`] takes their answers in this order.
pub const QUESTION: [&str; 5] = [VITALS, STATES, SESSIONS, BLOCKED, REPLICATION];

/// Transaction ids are compared in a circle; this far apart the oldest would be in the future.
const TRANSACTION_ID_LIMIT: f64 = 2_147_483_648.0;

const VITALS: &str = "
select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_all,
       current_user::text as role,
       current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8
         - coalesce(current_setting('reserved_connections', true)::int8, 0) as connections_max,
       (select sum(numbackends) from pg_stat_database)::int8 as backends,
       pg_database_size(current_database()) as size_bytes,
       (select max(age(datfrozenxid)) from pg_database)::int8 as transaction_id_age,
       blks_hit, blks_read, deadlocks, temp_bytes, xact_commit, xact_rollback, dead, live
from pg_stat_database,
     (select sum(pg_stat_get_dead_tuples(oid))::int8 as dead, sum(pg_stat_get_live_tuples(oid))::int8 as live
      from pg_class where relkind in ('r', 'm') and relnamespace <> 'pg_catalog'::regnamespace) as tuples
where datname = current_database()";

const STATES: &str = "
select coalesce(state, 'starting') as state, count(*) as sessions
from pg_stat_get_activity(null) where backend_type = 'client backend' group by 1";

const SESSIONS: &str = "
select count(*) filter (where state like 'idle in transaction%') as idle_in_transaction,
       extract(epoch from max(clock_timestamp() - xact_start)) as longest_transaction,
       extract(epoch from max(clock_timestamp() - state_change)
         filter (where state like 'idle in transaction%')) as longest_idle_in_transaction,
       (array_agg(pid order by state_change) filter (where state like 'idle in transaction%'))[1] as idle_pid,
       extract(epoch from max(clock_timestamp() - query_start) filter (where state = 'active')) as longest_query,
       count(*) filter (where wait_event_type = 'Lock') as blocked
from pg_stat_get_activity(null), pg_database d
where backend_type = 'client backend' and pid <> pg_backend_pid() and datid = d.oid and datname = current_database()";

/// Who waits longest for a lock, and for whom. `waitstart` exists from 14 on, and reading it through JSON gives NULL
/// before. The blockers are asked of one session only, since that stops all locking for a moment.
const BLOCKED: &str = "
select pid, waited, array_to_string(pg_blocking_pids(pid), ', ') as blockers from (
  select a.pid, extract(epoch from clock_timestamp()
           - coalesce((to_jsonb(l) ->> 'waitstart')::timestamptz, a.query_start)) as waited
  from pg_stat_get_activity(null) a join pg_locks l on l.pid = a.pid and not l.granted
       join pg_database d on d.oid = a.datid
  where a.wait_event_type = 'Lock' and d.datname = current_database()
  order by waited desc limit 1) as longest";

const REPLICATION: &str = "
with here as (select case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
                          else pg_current_wal_lsn() end as lsn),
     replica as (select * from pg_stat_replication where state in ('streaming', 'catchup'))
select pg_is_in_recovery() as standby,
       (select count(*) from replica) as replicas,
       (select extract(epoch from max(coalesce(replay_lag, interval '0'))) from replica) as replica_seconds,
       (select max(pg_wal_lsn_diff((select lsn from here), replay_lsn)) from replica) as replica_bytes,
       (select max(pg_wal_lsn_diff((select lsn from here), restart_lsn)) from pg_replication_slots) as slot_bytes,
       pg_last_wal_receive_lsn() is not null as has_received,
       exists (select from pg_stat_wal_receiver) as receives,
       pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) as own_bytes,
       extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) as since_replay";

/// States that are always told, so that a series is there before the first session is in it.
const USUAL_STATES: [&str; 4] = ["active", "idle", "idle_in_transaction", "idle_in_transaction_aborted"];

/// Says what the answers to [`QUESTION`] mean. `None` where they are not that many.
pub fn read(answers: &[Table], outcome: &mut Outcome) -> Option<()> {
    let [vitals, states, sessions, blocked, replication, ..] = answers else { return None };
    read_vitals(vitals, outcome);
    let sees_all = vitals.is_true(0, "sees_all");
    let used = if sees_all {
        read_sessions(sessions, blocked, outcome);
        Some(read_states(states, outcome))
    } else {
        let role = vitals.text(0, "role").unwrap_or("the role");
        outcome.note(format!(
            "`{role}` may not see other sessions, so their states, ages and locks, and replicas are left out; \
             `grant pg_monitor to \"{role}\"`"
        ));
        vitals.number(0, "backends")
    };
    if let (Some(used), Some(max)) = (used, vitals.number(0, "connections_max")) {
        outcome.measure("connections_used", used);
        outcome.measure("connections_max", max);
        outcome.measure("connections_used_ratio", used / max);
    }
    read_replication(replication, sees_all, outcome);
    Some(())
}

fn read_vitals(vitals: &Table, outcome: &mut Outcome) {
    let number = |column| vitals.number(0, column);
    for (column, measure) in [
        ("size_bytes", "size_bytes"),
        ("deadlocks", "deadlocks_total"),
        ("temp_bytes", "temp_bytes_total"),
        ("xact_commit", "transactions_committed_total"),
        ("xact_rollback", "transactions_rolled_back_total"),
        ("dead", "dead_tuples"),
        ("transaction_id_age", "transaction_id_age"),
    ] {
        if let Some(value) = number(column) {
            outcome.measure(measure, value);
        }
    }
    if let Some(age) = number("transaction_id_age") {
        outcome.measure("transaction_id_age_ratio", age / TRANSACTION_ID_LIMIT);
    }
    // A share of nothing is no number, and is left out.
    if let (Some(hit), Some(read)) = (number("blks_hit"), number("blks_read")) {
        outcome.measure("cache_hit_ratio", hit / (hit + read));
    }
    if let (Some(dead), Some(live)) = (number("dead"), number("live")) {
        outcome.measure("dead_tuples_ratio", dead / (dead + live));
    }
}

/// Tells the sessions by state, and gives how many there are.
fn read_states(states: &Table, outcome: &mut Outcome) -> f64 {
    let mut counts = USUAL_STATES.map(|state| (state.to_owned(), 0.0)).to_vec();
    for row in 0..states.rows.len() {
        let state = states.text(row, "state").unwrap_or_default().replace(' ', "_").replace(['(', ')'], "");
        let sessions = states.number(row, "sessions").unwrap_or_default();
        match counts.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += sessions,
            None => counts.push((state, sessions)),
        }
    }
    let used = counts.iter().map(|(_, count)| count).sum();
    for (state, count) in counts {
        outcome.measure_with("connections", count, vec![("state".to_owned(), state)]);
    }
    used
}

fn read_sessions(sessions: &Table, blocked: &Table, outcome: &mut Outcome) {
    let number = |column| sessions.number(0, column).unwrap_or_default();
    outcome.measure("connections_idle_in_transaction", number("idle_in_transaction"));
    // A session that began after we looked at the clock is no time old.
    outcome.measure("longest_transaction_seconds", number("longest_transaction").max(0.0));
    let idle = number("longest_idle_in_transaction").max(0.0);
    outcome.measure("longest_idle_in_transaction_seconds", idle);
    outcome.measure("longest_query_seconds", number("longest_query").max(0.0));
    outcome.measure("blocked_sessions", number("blocked"));
    let waited = blocked.number(0, "waited").unwrap_or_default().max(0.0);
    outcome.measure("longest_blocked_seconds", waited);
    if let Some(pid) = sessions.number(0, "idle_pid") {
        outcome.note(format!("process {pid} has been idle in a transaction for {idle:.1} s"));
    }
    if let (Some(pid), Some(blockers)) = (blocked.number(0, "pid"), blocked.text(0, "blockers")) {
        outcome.note(format!("process {pid} has waited {waited:.1} s for a lock that is held by {blockers}"));
    }
}

fn read_replication(replication: &Table, sees_all: bool, outcome: &mut Outcome) {
    let number = |column| replication.number(0, column);
    if let Some(retained) = number("slot_bytes") {
        outcome.measure("replication_slot_retained_bytes", retained);
    }
    if replication.is_true(0, "standby") {
        let cut_off = replication.is_true(0, "has_received") && !replication.is_true(0, "receives");
        let bytes = number("own_bytes");
        // All that came is replayed: an idle primary is no lag. But cut off, nothing comes.
        let seconds = if bytes == Some(0.0) && !cut_off { Some(0.0) } else { number("since_replay") };
        tell_lag(seconds, bytes, outcome);
        if cut_off {
            let text = "this standby receives nothing from its primary; see the servers' logs";
            outcome.fault(Fault::degraded(Connect, text));
        }
    } else if sees_all {
        outcome.measure("replicas", number("replicas").unwrap_or_default());
        tell_lag(number("replica_seconds"), number("replica_bytes"), outcome);
    }
}

fn tell_lag(seconds: Option<f64>, bytes: Option<f64>, outcome: &mut Outcome) {
    if let Some(seconds) = seconds {
        outcome.measure("replication_lag_seconds", seconds.max(0.0));
    }
    if let Some(bytes) = bytes {
        outcome.measure("replication_lag_bytes", bytes.max(0.0));
    }
}
