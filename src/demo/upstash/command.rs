//! The commands that a shop and its watchers use.

use super::argument::{
    Answer, Arguments, NO_INTEGER, Reply, SYNTAX, as_hash, as_hash_mut, as_list, as_list_mut, as_set,
    as_set_mut, as_sorted, as_sorted_mut, as_text, as_text_mut, number, range,
};
use super::info;
use super::store::{KEYS_MAX, Store, Stored};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Commands that a read-only token may use: those that read, without those that are dangerous.
const READERS: &[&str] = &[
    "PING",
    "ECHO",
    "TIME",
    "DBSIZE",
    "GET",
    "MGET",
    "STRLEN",
    "EXISTS",
    "TTL",
    "PTTL",
    "TYPE",
    "HGET",
    "HGETALL",
    "HLEN",
    "LRANGE",
    "LLEN",
    "SMEMBERS",
    "SISMEMBER",
    "SCARD",
    "ZCARD",
    "ZSCORE",
    "ZRANGE",
];
const DANGEROUS_READERS: &[&str] = &["INFO", "KEYS", "SCAN"];
const WRITERS: &[&str] = &[
    "SET", "INCR", "INCRBY", "DECR", "HSET", "HINCRBY", "LPUSH", "RPUSH", "SADD", "ZADD", "ZINCRBY", "MSET",
];
/// Commands that change something and make it no larger.
const REMOVERS: &[&str] = &[
    "DEL", "UNLINK", "EXPIRE", "PEXPIRE", "PERSIST", "HDEL", "LPOP", "RPOP", "SREM", "ZREM", "FLUSHDB",
    "FLUSHALL",
];

pub fn is_known(name: &str) -> bool {
    let name = name.to_uppercase();
    [READERS, DANGEROUS_READERS, WRITERS, REMOVERS].iter().any(|list| list.contains(&name.as_str()))
}

pub fn is_for_readers(name: &str) -> bool {
    READERS.contains(&name)
}

/// Whether it may need room.
pub fn writes(name: &str) -> bool {
    WRITERS.contains(&name)
}

/// What a command answers that found no key.
pub fn nothing(name: &str) -> Reply {
    match name {
        "GET" | "ZSCORE" | "HGET" => Reply::Nil,
        "ZRANGE" | "LRANGE" | "SMEMBERS" | "HGETALL" => Reply::List(Vec::new()),
        _ => Reply::Number(0),
    }
}

/// Runs a known command; `name` is in upper case, `commands` is how many there were so far.
pub fn run(store: &mut Store, now_ms: i64, commands: u64, name: &str, list: &[String]) -> Answer {
    let given = Arguments { name, list };
    if writes(name) && store.len() >= KEYS_MAX {
        return Err("ERR DB capacity quota exceeded".to_owned());
    }
    match name {
        "INFO" => Ok(Reply::text(info::text(store, commands))),
        "HSET" | "HGET" | "HGETALL" | "HDEL" | "HLEN" | "HINCRBY" => hashes(store, &given),
        "LPUSH" | "RPUSH" | "LPOP" | "RPOP" | "LRANGE" | "LLEN" => lists(store, &given),
        "SADD" | "SREM" | "SMEMBERS" | "SISMEMBER" | "SCARD" => sets(store, &given),
        "ZADD" | "ZINCRBY" | "ZCARD" | "ZSCORE" | "ZRANGE" | "ZREM" => sorted(store, &given),
        "GET" | "SET" | "MGET" | "MSET" | "STRLEN" | "INCR" | "INCRBY" | "DECR" => {
            texts(store, now_ms, &given)
        }
        "PING" | "ECHO" | "TIME" | "DBSIZE" | "FLUSHDB" | "FLUSHALL" => server(store, now_ms, &given),
        _ => keys(store, now_ms, &given),
    }
}

fn server(store: &mut Store, now_ms: i64, given: &Arguments<'_>) -> Answer {
    Ok(match given.name {
        "PING" => Reply::text(given.list.first().map_or("PONG", String::as_str)),
        "ECHO" => Reply::text(given.at(0)?),
        "TIME" => Reply::texts([(now_ms / 1000).to_string(), (now_ms % 1000 * 1000).to_string()]),
        "DBSIZE" => Reply::count(store.len()),
        _ => {
            store.clear();
            Reply::Okay
        }
    })
}

fn keys(store: &mut Store, now_ms: i64, given: &Arguments<'_>) -> Answer {
    let left = |store: &mut Store| {
        let key = given.at(0)?;
        Ok::<_, String>(store.entry(key).map_or(-2, |entry| entry.expires.map_or(-1, |at| at - now_ms)))
    };
    Ok(match given.name {
        "EXISTS" => Reply::count(given.list.iter().filter(|key| store.has(key)).count()),
        "DEL" | "UNLINK" => Reply::count(given.list.iter().filter(|key| store.remove(key)).count()),
        "TYPE" => Reply::text(store.entry(given.at(0)?).map_or("none", |entry| entry.value.kind())),
        "PTTL" => Reply::Number(left(store)?),
        "TTL" => Reply::Number(match left(store)? {
            none if none < 0 => none,
            ms => (ms + 999) / 1000,
        }),
        "EXPIRE" | "PEXPIRE" => {
            given.between(2, 3)?;
            let unit = if given.name == "EXPIRE" { 1000 } else { 1 };
            let at = now_ms.saturating_add(given.integer(1)?.saturating_mul(unit));
            let entry = store.entry(given.at(0)?);
            Reply::flag(entry.map(|entry| entry.expires = Some(at)).is_some())
        }
        "PERSIST" => Reply::flag(store.entry(given.at(0)?).and_then(|entry| entry.expires.take()).is_some()),
        "KEYS" => Reply::texts(matching(store, given.at(0)?)),
        _ => {
            let pattern = given.list.iter().position(|word| word.eq_ignore_ascii_case("MATCH"));
            let pattern = pattern.and_then(|at| given.list.get(at + 1)).map_or("*", String::as_str);
            Reply::List(vec![Reply::text("0"), Reply::texts(matching(store, pattern))])
        }
    })
}

/// Patterns with `*` and `?`.
fn matching(store: &Store, pattern: &str) -> Vec<String> {
    fn fits(pattern: &[u8], key: &[u8]) -> bool {
        match (pattern.first(), key.first()) {
            (None, None) => true,
            (Some(b'*'), _) => fits(&pattern[1..], key) || !key.is_empty() && fits(pattern, &key[1..]),
            (Some(b'?'), Some(_)) => fits(&pattern[1..], &key[1..]),
            (Some(wanted), Some(found)) => wanted == found && fits(&pattern[1..], &key[1..]),
            _ => false,
        }
    }
    store.names().filter(|key| fits(pattern.as_bytes(), key.as_bytes())).cloned().collect()
}

fn texts(store: &mut Store, now_ms: i64, given: &Arguments<'_>) -> Answer {
    Ok(match given.name {
        "SET" => return set(store, now_ms, given),
        "GET" => {
            given.between(1, 1)?;
            Reply::or_nil(as_text(store.look_up(given.at(0)?))?.cloned())
        }
        "MGET" => Reply::List(
            given
                .list
                .iter()
                .map(|key| Reply::or_nil(as_text(store.look_up(key)).ok().flatten().cloned()))
                .collect(),
        ),
        "MSET" => {
            if given.list.is_empty() || given.list.len() % 2 == 1 {
                return Err(given.wrong_number());
            }
            for pair in given.list.chunks_exact(2) {
                store.set(&pair[0], Stored::Text(pair[1].clone()), None);
            }
            Reply::Okay
        }
        "STRLEN" => Reply::count(as_text(store.look_up(given.at(0)?))?.map_or(0, String::len)),
        name => {
            let by = match name {
                "INCR" => 1,
                "DECR" => -1,
                _ => given.integer(1)?,
            };
            let text = as_text_mut(store.or_insert(given.at(0)?, Stored::Text("0".to_owned())))?;
            let sum = text.parse::<i64>().ok().and_then(|before| before.checked_add(by)).ok_or(NO_INTEGER)?;
            *text = sum.to_string();
            Reply::Number(sum)
        }
    })
}

fn set(store: &mut Store, now_ms: i64, given: &Arguments<'_>) -> Answer {
    const FLAGS: [&str; 4] = ["NX", "XX", "GET", "KEEPTTL"];
    const WITH_NUMBER: [&str; 4] = ["EX", "PX", "EXAT", "PXAT"];
    let (key, value) = (given.at(0)?, given.at(1)?);
    let mut rest = given.list.iter().skip(2);
    while let Some(word) = rest.next() {
        let word = word.to_uppercase();
        let known =
            FLAGS.contains(&word.as_str()) || WITH_NUMBER.contains(&word.as_str()) && rest.next().is_some();
        if !known {
            return Err(SYNTAX.to_owned());
        }
    }
    let in_seconds =
        given.option(2, "EX")?.map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1000)));
    let in_ms = given.option(2, "PX")?.map(|ms| now_ms.saturating_add(ms));
    let at_second = given.option(2, "EXAT")?.map(|seconds| seconds.saturating_mul(1000));
    let expires = in_seconds.or(in_ms).or(at_second).or(given.option(2, "PXAT")?);
    let before = if given.has(2, "GET") { as_text(store.look_up(key))?.cloned() } else { None };
    let exists = store.has(key);
    if given.has(2, "NX") && exists || given.has(2, "XX") && !exists {
        return Ok(Reply::or_nil(before));
    }
    let kept = store.entry(key).and_then(|entry| entry.expires).filter(|_| given.has(2, "KEEPTTL"));
    store.set(key, Stored::Text(value.to_owned()), expires.or(kept));
    Ok(if given.has(2, "GET") { Reply::or_nil(before) } else { Reply::Okay })
}

fn hashes(store: &mut Store, given: &Arguments<'_>) -> Answer {
    let key = given.at(0)?;
    Ok(match given.name {
        "HSET" => {
            if given.list.len() < 3 || given.list.len().is_multiple_of(2) {
                return Err(given.wrong_number());
            }
            let hash = as_hash_mut(store.or_insert(key, Stored::Hash(BTreeMap::new())))?;
            let pairs = given.list[1..].chunks_exact(2);
            Reply::count(pairs.filter(|pair| hash.insert(pair[0].clone(), pair[1].clone()).is_none()).count())
        }
        "HINCRBY" => {
            let (field, by) = (given.at(1)?.to_owned(), given.integer(2)?);
            let hash = as_hash_mut(store.or_insert(key, Stored::Hash(BTreeMap::new())))?;
            let before = hash.get(&field).map_or(Ok(0), |text| text.parse::<i64>());
            let sum = before.ok().and_then(|before| before.checked_add(by));
            let sum = sum.ok_or("ERR hash value is not an integer")?;
            hash.insert(field, sum.to_string());
            Reply::Number(sum)
        }
        "HDEL" => {
            let Some(entry) = store.entry(key) else { return Ok(Reply::Number(0)) };
            let hash = as_hash_mut(&mut entry.value)?;
            let gone = given.list[1..].iter().filter(|field| hash.remove(*field).is_some()).count();
            store.tidy(key);
            Reply::count(gone)
        }
        "HGET" => {
            let field = given.at(1)?;
            Reply::or_nil(as_hash(store.look_up(key))?.and_then(|hash| hash.get(field).cloned()))
        }
        "HLEN" => Reply::count(as_hash(store.look_up(key))?.map_or(0, BTreeMap::len)),
        _ => {
            let hash = as_hash(store.look_up(key))?.cloned().unwrap_or_default();
            Reply::texts(hash.into_iter().flat_map(|(field, value)| [field, value]))
        }
    })
}

fn lists(store: &mut Store, given: &Arguments<'_>) -> Answer {
    let key = given.at(0)?;
    Ok(match given.name {
        "LPUSH" | "RPUSH" => {
            given.between(2, usize::MAX)?;
            let list = as_list_mut(store.or_insert(key, Stored::List(VecDeque::new())))?;
            for value in given.list[1..].iter().cloned() {
                if given.name == "LPUSH" { list.push_front(value) } else { list.push_back(value) }
            }
            Reply::count(list.len())
        }
        "LPOP" | "RPOP" => {
            let Some(entry) = store.entry(key) else { return Ok(Reply::Nil) };
            let list = as_list_mut(&mut entry.value)?;
            let value = if given.name == "LPOP" { list.pop_front() } else { list.pop_back() };
            store.tidy(key);
            Reply::or_nil(value)
        }
        "LLEN" => Reply::count(as_list(store.look_up(key))?.map_or(0, VecDeque::len)),
        _ => {
            let (start, stop) = (given.integer(1)?, given.integer(2)?);
            let list = as_list(store.look_up(key))?.cloned().unwrap_or_default();
            Reply::texts(list.range(range(start, stop, list.len())).cloned())
        }
    })
}

fn sets(store: &mut Store, given: &Arguments<'_>) -> Answer {
    let key = given.at(0)?;
    Ok(match given.name {
        "SADD" => {
            given.between(2, usize::MAX)?;
            let set = as_set_mut(store.or_insert(key, Stored::Set(BTreeSet::new())))?;
            Reply::count(given.list[1..].iter().filter(|member| set.insert((*member).clone())).count())
        }
        "SREM" => {
            let Some(entry) = store.entry(key) else { return Ok(Reply::Number(0)) };
            let set = as_set_mut(&mut entry.value)?;
            let gone = given.list[1..].iter().filter(|member| set.remove(*member)).count();
            store.tidy(key);
            Reply::count(gone)
        }
        "SISMEMBER" => {
            let member = given.at(1)?;
            Reply::flag(as_set(store.look_up(key))?.is_some_and(|set| set.contains(member)))
        }
        "SCARD" => Reply::count(as_set(store.look_up(key))?.map_or(0, BTreeSet::len)),
        _ => Reply::texts(as_set(store.look_up(key))?.cloned().unwrap_or_default()),
    })
}

fn sorted(store: &mut Store, given: &Arguments<'_>) -> Answer {
    let key = given.at(0)?;
    Ok(match given.name {
        "ZADD" => {
            if given.list.len() < 3 || given.list.len().is_multiple_of(2) {
                return Err(SYNTAX.to_owned());
            }
            let scores: Vec<f64> =
                (1..given.list.len()).step_by(2).map(|at| given.score(at)).collect::<Result<_, _>>()?;
            let members = given.list.iter().skip(2).step_by(2).cloned();
            let sorted = as_sorted_mut(store.or_insert(key, Stored::Sorted(BTreeMap::new())))?;
            Reply::count(
                members.zip(scores).filter(|(m, score)| sorted.insert(m.clone(), *score).is_none()).count(),
            )
        }
        "ZINCRBY" => {
            let (by, member) = (given.score(1)?, given.at(2)?.to_owned());
            let sorted = as_sorted_mut(store.or_insert(key, Stored::Sorted(BTreeMap::new())))?;
            let score = sorted.entry(member).or_insert(0.0);
            *score += by;
            Reply::text(number(*score))
        }
        "ZREM" => {
            let Some(entry) = store.entry(key) else { return Ok(Reply::Number(0)) };
            let sorted = as_sorted_mut(&mut entry.value)?;
            let gone = given.list[1..].iter().filter(|member| sorted.remove(*member).is_some()).count();
            store.tidy(key);
            Reply::count(gone)
        }
        "ZCARD" => Reply::count(as_sorted(store.look_up(key))?.map_or(0, BTreeMap::len)),
        "ZSCORE" => {
            let member = given.at(1)?;
            Reply::or_nil(
                as_sorted(store.look_up(key))?.and_then(|all| all.get(member)).map(|score| number(*score)),
            )
        }
        _ => ranked(store, given)?,
    })
}

/// ZRANGE by rank, with `REV` and `WITHSCORES`.
fn ranked(store: &mut Store, given: &Arguments<'_>) -> Answer {
    let (start, stop) = (given.integer(1)?, given.integer(2)?);
    if given.has(3, "BYSCORE") || given.has(3, "BYLEX") {
        return Err(SYNTAX.to_owned());
    }
    let all = as_sorted(store.look_up(given.at(0)?))?.cloned().unwrap_or_default();
    let mut members: Vec<(String, f64)> = all.into_iter().collect();
    members.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    if given.has(3, "REV") {
        members.reverse();
    }
    let chosen = members[range(start, stop, members.len())].iter();
    let scores = given.has(3, "WITHSCORES");
    Ok(Reply::texts(
        chosen.flat_map(|(member, score)| {
            std::iter::once(member.clone()).chain(scores.then(|| number(*score)))
        }),
    ))
}
