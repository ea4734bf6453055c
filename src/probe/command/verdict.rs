//! What a plugin's end means: the code is the verdict, the text only the reason.

use super::TimeoutStatus;
use super::child::{End, Ended};
use super::naming;
use super::perfdata::{self, Perfdata};
use crate::outcome::{Class, Fault, Outcome};
use crate::plain;
use nix::sys::signal::Signal;
use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::time::Duration;

const REASON_CHARS_MAX: usize = 200;
const NOTES_MAX: usize = 8;

/// What the texts about a plugin say and what they must not say.
pub struct Words {
    /// The program as the definition has it.
    pub program: String,
    pub timeout_status: TimeoutStatus,
    /// What must not appear in a text, each beside what is shown in its place.
    pub fillings: Vec<(String, SecretString)>,
}

impl Words {
    /// `limit` is how long the run had.
    pub fn judge(&self, ended: &Ended, limit: Duration) -> Outcome {
        let stdout = whole_words(ended);
        let (text, data) = split(&stdout);
        let stderr = String::from_utf8_lossy(&ended.stderr);
        let said = self.first_line(text).or_else(|| self.first_line(&stderr));
        let data = match ended.end {
            End::Code(0..=3) => perfdata::parse(&data),
            // Cut off in the middle of a number, perhaps.
            _ => Perfdata::default(),
        };
        let mut outcome = Outcome::ok();
        for (name, value) in naming::measures(&data.data) {
            outcome.measure(name, value);
        }
        if let Some(fault) = self.fault(&ended.end, limit, said.as_deref()) {
            outcome.fault(fault);
            self.note_what_is_beyond(&data, &mut outcome);
        }
        note_what_is_left_out(&data, ended.is_cut, &mut outcome);
        outcome
    }

    fn fault(&self, end: &End, limit: Duration, said: Option<&str>) -> Option<Fault> {
        let and_said = said.map(|said| format!(": {said}")).unwrap_or_default();
        let reason = |code: i32| match said {
            // `negate` and other wrappers: without the code, nobody would see why this is no success.
            Some(said) if said.contains("OK") => format!("{said} (exit code {code})"),
            Some(said) => said.to_owned(),
            None => format!("exit code {code} without a word"),
        };
        let program = &self.program;
        Some(match end {
            End::Code(0) => return None,
            End::Code(1) => Fault::degraded(Class::Assertion, reason(1)),
            End::Code(2) => Fault::failed(Class::Assertion, reason(2)),
            End::Code(3) => Fault::internal(reason(3)),
            End::Code(code) => Fault::internal(format!("exit code {code} is none of 0 to 3{and_said}")),
            End::Signal(number) => {
                let name = Signal::try_from(*number).map_or("a signal", Signal::as_str);
                Fault::internal(format!("`{program}` was killed by {name}{and_said}"))
            }
            End::Flood => Fault::internal(format!("`{program}` wrote without end and was killed{and_said}")),
            End::Deadline => {
                let limit = humantime::format_duration(limit);
                let text = format!("no end within {limit}; killed with all it had started{and_said}");
                match self.timeout_status {
                    TimeoutStatus::Failed => Fault::failed(Class::Timeout, text),
                    TimeoutStatus::Unknown => Fault::unknown(Class::Timeout, text),
                }
            }
        })
    }

    /// The first line that says anything, fit to be shown. It is not always the one with the status.
    fn first_line(&self, text: &str) -> Option<String> {
        text.lines().map(|line| self.shown(line)).find(|line| !line.is_empty())
    }

    fn shown(&self, text: &str) -> String {
        let values = self.fillings.iter().map(|(hole, value)| (hole.as_str(), value.expose_secret()));
        plain::line(&plain::redact(text, values), REASON_CHARS_MAX)
    }

    /// Which numbers are beyond the plugin's own bounds: one exit code for ten disks does not say which.
    fn note_what_is_beyond(&self, data: &Perfdata, outcome: &mut Outcome) {
        let beyond = data.data.iter().filter_map(|datum| {
            let value = datum.value?;
            let is_beyond = |range: &perfdata::Range| range.alerts_on(value);
            let (word, range) = match (datum.crit.filter(is_beyond), datum.warn.filter(is_beyond)) {
                (Some(range), _) => ("critical", range),
                (None, Some(range)) => ("warning", range),
                (None, None) => return None,
            };
            let label = self.shown(&datum.label);
            Some(format!("{label} is {value}{}, beyond its {word} range {range}", datum.unit))
        });
        beyond.take(NOTES_MAX).for_each(|note| outcome.note(note));
    }
}

fn note_what_is_left_out(data: &Perfdata, is_cut: bool, outcome: &mut Outcome) {
    if is_cut {
        outcome.note("the output was longer than `output_max`; the rest was not read");
    }
    if let Some(left_out @ 1..) = data.data.len().checked_sub(naming::DATA_MAX) {
        outcome
            .note(format!("{left_out} performance data beyond the first {} were left out", naming::DATA_MAX));
    }
    if data.skipped > 0 {
        outcome.note(format!("not understood in the performance data: {} words", data.skipped));
    }
}

/// The output as text. Where it was cut, the last word goes too: half a number is another number.
fn whole_words(ended: &Ended) -> Cow<'_, str> {
    let whole = match ended.stdout.iter().rposition(u8::is_ascii_whitespace) {
        Some(at) if ended.is_cut => &ended.stdout[..at],
        _ => &ended.stdout[..],
    };
    String::from_utf8_lossy(whole)
}

/// The text before any performance data, and all performance data: behind the first `|` of the first
/// line, and behind the first `|` of all lines after it.
fn split(output: &str) -> (&str, String) {
    let (first, others) = output.split_once('\n').unwrap_or((output, ""));
    let (text, data) = first.split_once('|').unwrap_or((first, ""));
    let (more_text, more_data) = others.split_once('|').unwrap_or((others, ""));
    let text = if text.trim().is_empty() { more_text } else { text };
    (text, format!("{data} {more_data}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(end: End, stdout: &str, stderr: &str) -> Outcome {
        let words = Words {
            program: "check_x".to_owned(),
            timeout_status: TimeoutStatus::Failed,
            fillings: vec![("${PASSWORD}".to_owned(), SecretString::from("hunter22".to_owned()))],
        };
        let ended = Ended { end, stdout: stdout.into(), stderr: stderr.into(), is_cut: false };
        words.judge(&ended, Duration::from_secs(5))
    }

    fn check(end: End, stdout: &str, expected: &str) {
        let outcome = judged(end, stdout, "from stderr\n");
        let reason = outcome.reason().map(|fault| format!(" {}: {}", fault.class, fault.text));
        assert_eq!(format!("{}{}", outcome.status(), reason.unwrap_or_default()), expected);
    }

    #[test]
    fn the_code_is_the_verdict() {
        check(End::Code(0), "CRITICAL - not so", "ok");
        check(End::Code(1), "LOAD WARNING\nmore", "degraded assertion: LOAD WARNING");
        check(End::Code(2), "OK: fine", "failed assertion: OK: fine (exit code 2)");
        check(End::Code(2), "\n \nlate", "failed assertion: late");
        check(End::Code(2), "|a=1\nlate|b=1", "failed assertion: late");
        check(End::Code(2), "", "failed assertion: from stderr");
        check(End::Code(3), "can't tell", "unknown internal: can't tell");
        check(End::Code(77), "", "unknown internal: exit code 77 is none of 0 to 3: from stderr");
        check(End::Signal(11), "x", "unknown internal: `check_x` was killed by SIGSEGV: x");
        check(End::Flood, "y", "unknown internal: `check_x` wrote without end and was killed: y");
        check(
            End::Deadline,
            "trying",
            "failed timeout: no end within 5s; killed with all it had started: trying",
        );
        assert_eq!(judged(End::Code(2), "", "").faults[0].text, "exit code 2 without a word");
    }

    #[test]
    fn a_reason_is_short_plain_and_keeps_secrets() {
        check(End::Code(2), "\u{1b}[31mno\u{7} \tway\r\n", "failed assertion: no way");
        check(End::Code(2), "wrong password hunter22!", "failed assertion: wrong password ${PASSWORD}!");
        let long = judged(End::Code(2), &"ä".repeat(5000), "");
        assert_eq!(long.faults[0].text.chars().count(), REASON_CHARS_MAX);
    }

    #[test]
    fn data_come_from_every_line() {
        let outcome = judged(End::Code(0), "OK | a=1\ntext\ntext | b=2s\nc=3% 'd d'=4B\n", "");
        let found: Vec<_> = outcome.measures.iter().map(|m| (m.name.as_ref(), m.value)).collect();
        assert_eq!(found, [("a", 1.0), ("b_seconds", 2.0), ("c_ratio", 0.03), ("d_d_bytes", 4.0)]);
        assert!(outcome.notes.is_empty(), "{:?}", outcome.notes);
    }

    #[test]
    fn notes_name_the_numbers_beyond_their_bounds() {
        let outcome = judged(End::Code(2), "DISK | /a=9;5;8 /b=1;5;8 /c=6GB;5;8 x", "");
        let expected = [
            "/a is 9, beyond its critical range 8",
            "/c is 6GB, beyond its warning range 5",
            "not understood in the performance data: 1 words",
        ];
        assert_eq!(outcome.notes, expected);
    }

    #[test]
    fn half_a_number_is_no_number() {
        let ended =
            Ended { end: End::Code(0), stdout: b"OK | a=1 b=23".to_vec(), stderr: vec![], is_cut: true };
        assert_eq!(whole_words(&ended), "OK | a=1");
    }
}
