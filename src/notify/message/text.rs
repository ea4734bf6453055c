//! A message as plain text.

use super::{Is, Message, Part, Row};

/// What every mail program shows without breaking lines of its own.
const COLUMNS: usize = 76;
/// Values stand in one column beside their labels, where the labels leave room for it.
const LABEL_COLUMNS: usize = 20;

pub fn render(message: &Message) -> String {
    let mut out = String::new();
    if let Some(backup) = &message.backup {
        paragraph(&mut out, backup);
        out.push('\n');
    }
    paragraph(&mut out, &message.badge);
    paragraph(&mut out, &message.headline);
    for lead in &message.lead {
        out.push('\n');
        paragraph(&mut out, lead);
    }
    for part in &message.parts {
        render_part(&mut out, part);
    }
    out.push_str("\n--\n");
    paragraph(&mut out, &message.closing);
    out
}

fn render_part(out: &mut String, part: &Part) {
    if let Some(title) = &part.title {
        out.push('\n');
        paragraph(out, title);
    }
    if let Some(summary) = &part.summary {
        paragraph(out, summary);
    }
    for rows in [&part.facts, &part.to_do] {
        if !rows.is_empty() {
            out.push('\n');
        }
        for row in rows {
            render_row(out, row);
        }
    }
}

fn render_row(out: &mut String, row: &Row) {
    for (at, value) in row.values.iter().enumerate() {
        let label = format!("{:LABEL_COLUMNS$}", if at == 0 { row.label } else { "" });
        match row.is {
            Is::Words => wrap(out, &label, value),
            // Whole, so that it can be copied and clicked.
            Is::Link | Is::Command => {
                let line = [label.as_str(), value, "\n"];
                out.extend(line);
            }
        }
    }
}

fn paragraph(out: &mut String, text: &str) {
    wrap(out, "", text);
}

/// Breaks at spaces only: half an address is of no use.
fn wrap(out: &mut String, first: &str, text: &str) {
    let indent = first.chars().count();
    let mut column = indent;
    out.push_str(first);
    for (at, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if at > 0 && column + 1 + width > COLUMNS {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
}
