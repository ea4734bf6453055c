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
            faults.push(Fault {
                place: node.place.clone(),
                text,
                hint: did_you_mean(need, names.clone().filter(|name| *name != node.name)),
            });
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
        walk(node, &by_name, &mut done, &mut |circle| {
            if told.insert(circle.iter().copied().collect()) {
                let text = format!("`needs` goes in a circle: {} → {}", circle.join(" → "), circle[0]);
                faults.push(Fault { place: node.place.clone(), text, hint: None });
            }
        });
    }
    faults
}

/// Goes down from `node` over all that was not walked before. The way is a list and not the stack of the program,
/// which a long chain of needs would overflow.
fn walk<'a>(
    node: &'a Node,
    by_name: &BTreeMap<&str, &'a Node>,
    done: &mut BTreeSet<&'a str>,
    found: &mut impl FnMut(&[&'a str]),
) {
    if done.contains(node.name.as_str()) {
        return;
    }
    let mut way = vec![node.name.as_str()];
    let mut places = BTreeMap::from([(node.name.as_str(), 0)]);
    let mut left = vec![node.needs.iter()];
    while let Some(needs) = left.last_mut() {
        let Some(need) = needs.next() else {
            left.pop();
            if let Some(name) = way.pop() {
                places.remove(name);
                done.insert(name);
            }
            continue;
        };
        let Some(next) = by_name.get(need.as_str()) else { continue };
        let name = next.name.as_str();
        if let Some(at) = places.get(name) {
            found(&way[*at..]);
        } else if !done.contains(name) {
            places.insert(name, way.len());
            way.push(name);
            left.push(next.needs.iter());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, needs: &[&str]) -> Node {
        let place = Place { file: "a.toml".into(), line: 1, column: 1 };
        Node { name: name.to_owned(), needs: needs.iter().map(ToString::to_string).collect(), place }
    }

    fn check(nodes: &[Node], expected: &[&str]) {
        let found = faults(nodes, nodes.iter().map(|node| node.name.as_str()));
        assert_eq!(found.iter().map(|fault| fault.text.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn each_circle_is_told_once() {
        check(
            &[node("a", &["b", "c"]), node("b", &["c"]), node("c", &["b", "d"]), node("d", &[])],
            &["`needs` goes in a circle: b → c → b"],
        );
        check(&[node("a", &["b"]), node("b", &["c"]), node("c", &[])], &[]);
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let number = 100_000;
        let mut nodes: Vec<Node> =
            (0..number).map(|n| node(&format!("a{n}"), &[&format!("a{}", n + 1)])).collect();
        nodes.push(node(&format!("a{number}"), &[]));
        check(&nodes, &[]);
    }
}
