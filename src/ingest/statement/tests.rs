//! No value survives, what is the same is told the same, and nothing takes long.

use super::*;
use proptest::prelude::*;

fn plain(sql: &str) -> String {
    normalise(sql, DoubleQuoted::Name)
}

fn check(sql: &str, expected: &str) {
    let text = plain(sql);
    assert_eq!(text, expected, "{sql}");
    assert_eq!(plain(&text), text, "twice: {sql}");
}

#[test]
fn values_become_question_marks() {
    check(
        "SELECT * FROM orders WHERE email = 'ana@example.com' AND id in (1, 2, 3)",
        "SELECT * FROM orders WHERE email = ? AND id in (?)",
    );
    check("select 'it''s', E'it\\'s', N'a', x'1f', B'01', date '2026-01-01'", "select ?, date ?");
    check("select $$ secret $$, $a$ $$ secret $a$ x", "select ? x");
    check("where a = $1 and b = :name and c = @p1 and d = ?2", "where a = ? and b = ? and c = ? and d = ?");
    check("1 1.5 .5 1e-5 0x1F 1_000 -3 12abc", "? ? ? ? ? ? -? ?");
    check("where a > -3 and b - 3 and f(-1, +2)", "where a > ? and b - ? and f(?)");
    check("'a'\n'b', c E'a' '\\'' x", "?, c ? x");
    check(
        "select count(*) from t1 where \"createdAt\" >= $1",
        "select count(*) from t1 where \"createdAt\" >= ?",
    );
    check("a[1:2]", "a[?:?]");
    check("a::text || '1'::int", "a::text || ?::int");
}

#[test]
fn prisma_s_statements_are_told_by_what_they_ask() {
    check(
        "SELECT \"public\".\"Order\".\"id\" FROM \"public\".\"Order\" WHERE (\"public\".\"Order\".\"id\" IN ($1,$2,$3) AND 1=1) OFFSET $4",
        "SELECT \"public\".\"Order\".\"id\" FROM \"public\".\"Order\" WHERE (\"public\".\"Order\".\"id\" IN (?) AND ?=?) OFFSET ?",
    );
    check(
        "INSERT INTO \"a\" (\"x\",\"y\") VALUES ($1,$2), ($3,$4), ($5,$6) RETURNING \"x\"",
        "INSERT INTO \"a\" (\"x\", \"y\") VALUES (?) RETURNING \"x\"",
    );
    check("IN ($1::uuid, $2::uuid,$3::uuid)", "IN (?::uuid)");
    check("values (1, now(), 'a'), (2, now(), 'b') on conflict", "values (?, now(), ?) on conflict");
    check("SELECT `a`.`b` FROM `c` WHERE `b` = ?", "SELECT `a`.`b` FROM `c` WHERE `b` = ?");
}

#[test]
fn what_mysql_quotes_twice_is_a_value() {
    let mysql = |sql: &str| normalise(sql, DoubleQuoted::Literal);
    assert_eq!(mysql("select `a` from b where c = \"Anna\" and d"), "select `a` from b where c = ? and d");
    assert_eq!(mysql("select \"it\"\"s\" from a"), "select ? from a");
    assert_eq!(mysql("select \"a\\\" Anna\" from a"), "select …");
    assert_eq!(mysql("values (\"a\", \"b\"), (\"c\", \"d\")"), "values (?)");
}

#[test]
fn comments_and_blanks_are_no_part_of_it() {
    check("select 1 -- of ana@example.com\n from a", "select ? from a");
    check("select 1 /*traceparent='00-secret',route='/a?b'*/", "select ?");
    check("/* a /* nested ' */ secret */ select\t1;\n;", "select ?");
    check("select a # secret\n from b where c #>> '{d}' = 1", "select a from b where c #>> ? = ?");
    check("select\u{a0}a\u{202e}, ( b )", "select a, (b)");
    check("", "");
    check(" -- nothing", "");
}

#[test]
fn where_no_end_is_certain_nothing_behind_it_stays() {
    check("select 'secret", "select …");
    check("select a, $x$ secret $y$", "select a, …");
    check("select /* secret", "select …");
    check("select \"secret", "select …");
    check("where a = 'it\\'s secret' and b = 'c'", "where a = …");
    check("where a = 'C:\\\\' and b = 1", "where a = ? and b = ?");
    check("select 1 -- a\r'secret\n'", "select ? …");
    check("select q'[it's secret]'", "select …");
}

#[test]
fn what_only_looks_like_a_name_is_a_value() {
    check("where a = \"ana@example.com\" or \"a b\" or \"555-1234\"", "where a = ? or ? or ?");
    check("select \"a\"\"b\", \"größe\", \"order-items\"", "select ?, \"größe\", \"order-items\"");
}

#[test]
fn a_long_one_is_cut_between_two_words() {
    let columns = (0..200).map(|column| format!("column_{column}")).collect::<Vec<_>>().join(", ");
    let text = plain(&format!("select {columns} from a"));
    assert!(text.ends_with("column_42, column_43, column_44, …"), "{text}");
    assert!(text.chars().count() <= CHARS_MAX);
    assert_eq!(plain(&text), text);
    assert_eq!(plain(&"a".repeat(1000)), "…");
    let values = vec!["('secret', $1, 3)"; 50_000].join(", ");
    check(&format!("insert into a values {values}"), "insert into a values (?)");
}

/// Words that stand for what must not be seen, in everything that can hold them.
fn hidden() -> impl Strategy<Value = String> {
    let secret = "[ -&(-,.-~éß\n]{0,6}SECRET[ -&(-,.-~éß\n]{0,6}".prop_map(|text| text.replace('\\', "/"));
    (secret, 0..9).prop_map(|(secret, way)| {
        let line = secret.replace('\n', " ");
        match way {
            0 => format!("'{secret}'"),
            1 => format!("'it''s {secret}'"),
            2 => format!("E'\\'{secret}\\\\'"),
            3 => format!("$$ {} $$", secret.replace('$', "")),
            4 => format!("$t$ ' {} $t$", secret.replace('$', "")),
            5 => format!("-- {line}\n"),
            6 => format!("/* ' {} */", secret.replace(['/', '*'], "")),
            7 => format!("9SECRET{}", secret.len()),
            _ => format!("/*/*{}*/'*/", secret.replace(['/', '*'], "")),
        }
    })
}

fn shown() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,5}",
        "[a-z]{2,5}",
        Just("\"Order\"".to_owned()),
        Just("in (1, 2)".to_owned()),
        Just("(".to_owned()),
        Just("),".to_owned()),
        Just(", ?".to_owned()),
        Just("= -1::uuid".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_value_is_ever_seen(pieces in prop::collection::vec((hidden(), shown()), 1..12), cut in any::<prop::sample::Index>()) {
        let sql = pieces.iter().map(|(hidden, shown)| format!("{shown} {hidden}")).collect::<Vec<_>>().join(" ");
        let text = plain(&sql);
        prop_assert!(!text.contains("SECRET"), "{} became {}", sql, text);
        let mut end = cut.index(sql.len());
        while !sql.is_char_boundary(end) {
            end -= 1;
        }
        let text = plain(&sql[..end]);
        prop_assert!(!text.contains("SECRET"), "{} became {}", &sql[..end], text);
    }

    #[test]
    fn whatever_comes_is_short_plain_and_the_same_again(sql in prop_oneof![
        "(?s).{0,200}",
        "[a-eE1-3'\"`$?:@#(),;\\[\\] .*/\\\\\r\n\\-+=éx]{0,80}",
        "([(]|[)]|, |[?]|::a|[?]::a|;|-|[(]a[)]|b ){0,60}",
        "([a-z]{3,40}|, |[?]|::a|[?]::a|;|-|[(]a[)]|b ){60,200}",
    ]) {
        let text = plain(&sql);
        prop_assert!(text.chars().count() <= CHARS_MAX);
        prop_assert!(!text.chars().any(char::is_control));
        prop_assert_eq!(plain(&text), text);
    }
}

/// What makes a careless reader go over the same text again and again: with two megabytes it would not come to an end.
#[test]
fn a_hostile_statement_takes_no_longer_than_another() {
    let hostile = [
        "/*", "(", "$a$", "'", "\\'", "''", "(?),(", "?,", "--\n", "((a),", "1e+", "'a' ", "E'a'\n", "\"",
        ");", "-", "#\n", "a", "$", "((?),",
    ];
    for piece in hostile {
        assert!(plain(&piece.repeat(2_000_000 / piece.len())).chars().count() <= CHARS_MAX);
    }
}
