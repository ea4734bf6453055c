//! `atalaya silence`: tell nobody for a while. What is silenced is judged and recorded all the same.

use super::remote::{self, Agent, moment, somebody, text};
use super::{exit, fail, print};
use crate::fact::{Is, Matcher};
use clap::{Args, Subcommand};
use comfy_table::Table;
use reqwest::Method;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    agent: Agent,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell nobody of alerts that match all of MATCHERS: `check=site`, `severity!=page`, `section=~"orders|business"`
    Add(Add),
    /// Show the silences in force
    List {
        /// JSON for programs
        #[arg(long)]
        json: bool,
    },
    /// End a silence now
    End {
        /// As `atalaya silence list` shows it
        id: String,
        /// Who ends it
        #[arg(long, value_name = "NAME", default_value_t = somebody())]
        by: String,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Comparisons with labels of alerts, `=`, `!=`, `=~` (a regular expression for the whole value) or `!~`; a bare name is `check=NAME`
    #[arg(required = true, value_name = "MATCHERS")]
    matchers: Vec<String>,
    /// How long: it always ends
    #[arg(long = "for", value_name = "PERIOD", default_value = "2h", value_parser = humantime::parse_duration)]
    lasts: std::time::Duration,
    /// Who wants it
    #[arg(long, value_name = "NAME", default_value_t = somebody())]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
}

pub async fn main(options: Options) -> u8 {
    let agent = options.agent;
    match options.command {
        Command::Add(add) => self::add(&agent, add).await,
        Command::List { json } => agent.show("/api/v1/silences", json, "no silence", table).await,
        Command::End { id, by } => {
            let path = format!(
                "/api/v1/silences/{}",
                percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC)
            );
            match agent.send(Method::DELETE, &path, json!({ "by": by })).await {
                Ok(_) => print(&format!("ended: {id}\n"), exit::OK),
                Err(code) => code,
            }
        }
    }
}

async fn add(agent: &Agent, add: Add) -> u8 {
    let mut matchers = Vec::new();
    for text in &add.matchers {
        match matcher(text) {
            Ok(matcher) => matchers.push(matcher),
            Err(why) => return fail(why),
        }
    }
    let body =
        json!({ "matchers": matchers, "seconds": add.lasts.as_secs(), "by": add.by, "comment": add.comment });
    match agent.send(Method::POST, "/api/v1/silences", body).await {
        Ok(silence) => {
            let (id, until) = (text(&silence, "id"), moment(&silence, "until"));
            print(&format!("silenced until {until} UTC: end it with `atalaya silence end {id}`\n"), exit::OK)
        }
        Err(code) => code,
    }
}

/// `check=site`, `section=~"a|b"`, or a bare name.
fn matcher(text: &str) -> Result<Matcher, String> {
    let operators = [("!=", Is::NotEqual), ("=~", Is::Like), ("!~", Is::NotLike), ("=", Is::Equal)];
    let found = operators.into_iter().filter_map(|(sign, is)| Some((text.find(sign)?, sign, is)));
    // The first sign counts, and of two at one place the longer: `=~` before `=`.
    let Some((at, sign, is)) = found.min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len()))) else {
        return Ok(Matcher { label: "check".to_owned(), is: Is::Equal, value: text.to_owned() });
    };
    let (label, value) = (text[..at].trim(), text[at + sign.len()..].trim().trim_matches('"'));
    if label.is_empty() {
        return Err(format!(
            "`{text}` names no label\n  hint: write `check=site` or `severity=~\"ticket|info\"`"
        ));
    }
    Ok(Matcher { label: label.to_owned(), is, value: value.to_owned() })
}

fn table(silences: &[Value]) -> Table {
    let mut table = remote::table(&["id", "until (UTC)", "of", "by", "why"]);
    for silence in silences {
        let matchers = silence["matchers"].as_array().into_iter().flatten();
        let words =
            matchers.map(|one| format!("{}{}{}", text(one, "label"), text(one, "is"), text(one, "value")));
        table.add_row([
            text(silence, "id").to_owned(),
            moment(silence, "until"),
            words.collect::<Vec<_>>().join(" "),
            text(silence, "by").to_owned(),
            text(silence, "comment").to_owned(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, label: &str, is: Is, value: &str) {
        let expected = Matcher { label: label.to_owned(), is, value: value.to_owned() };
        assert_eq!(matcher(text), Ok(expected), "{text}");
    }

    #[test]
    fn matchers_are_read_as_alertmanager_reads_them() {
        check("site", "check", Is::Equal, "site");
        check("check=site", "check", Is::Equal, "site");
        check("severity != page", "severity", Is::NotEqual, "page");
        check("section=~\"a|b=c\"", "section", Is::Like, "a|b=c");
        check("slo!~x.*", "slo", Is::NotLike, "x.*");
        check("check=", "check", Is::Equal, "");
        assert!(matcher("=site").is_err());
    }
}
