//! What needs what: every name must exist, and nothing may need itself, not even in a circle.

use super::fault::{Fault, Place, did_you_mean};
use std::collections::{BTreeMap, BTreeSet};

/// One check and what it needs.
#[derive(Debug)]
pub struct Node {
    pub name: String,
    pub needs: Vec<String>,
    pub place: Place,
}

/// Unknown names and circles. `names` are all names there are, also of checks that have other faults.
pub fn faults<'a>(nodes: &[Node], names: impl Iterator<Item = &'a str> + Clone) -> Vec<Fault> {
    let known: BTreeSet<&str> = names.clone().collect();
    let mut faults = Vec::new();
    for node in nodes {
        for need in node.needs.iter().filter(|need| !known.contains(need.as_str())) {
            let text = format!("`needs`: there is no check `{need}`");
            faults.push(Fault { place: node.place.clone(), text, hint: did_you_mean(need, names.clone()) });
        }
    }
    faults.extend(circles(nodes));
    faults
}

/// Each circle once, told at its first check.
fn circles(nodes: &[Node]) -> Vec<Fault> {
    let by_name: BTreeMap<&str, &Node> = nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut told: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut faults = Vec::new();
    for node in nodes {
        let mut path = Vec::new();
        walk(node, &by_name, &mut path, &mut done, &mut |circle| {
            if told.insert(circle.iter().copied().collect()) {
                let text = format!("`needs` goes in a circle: {} → {}", circle.join(" → "), circle[0]);
                faults.push(Fault { place: node.place.clone(), text, hint: None });
            }
        });
    }
    faults
}

fn walk<'a>(
    node: &'a Node,
    by_name: &BTreeMap<&str, &'a Node>,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    found: &mut impl FnMut(&[&'a str]),
) {
    if let Some(at) = path.iter().position(|name| *name == node.name) {
        found(&path[at..]);
        return;
    }
    if done.contains(node.name.as_str()) {
        return;
    }
    path.push(&node.name);
    for need in &node.needs {
        if let Some(next) = by_name.get(need.as_str()) {
            walk(next, by_name, path, done, found);
        }
    }
    path.pop();
    done.insert(&node.name);
}
