//! The kinds `postgres` and `sql` against a real PostgreSQL, direct and through a real pgbouncer.

use crate::support::{pgbouncer, postgres};

#[test]
fn the_servers_that_the_tests_stand_on_answer() {
    let url = postgres::database("answers");
    assert_eq!(postgres::query(&url, "show server_version_num").len(), 6);
    let pooled = pgbouncer::pooler().url("answers");
    let (pooled, _) = pooled.split_once('?').expect("parameters");
    assert_eq!(postgres::query(pooled, "select 40 + 2"), "42");
    assert!(postgres::query(&pgbouncer::pooler().admin_url(), "show pools").contains("answers|postgres"));
    let role = postgres::with_role(&url, "nobody", "none");
    assert!(postgres::try_query(&role, "select 1").unwrap_err().contains("password authentication failed"));
}
