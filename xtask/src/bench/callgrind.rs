//! The files that callgrind writes.

use std::collections::HashMap;

/// The functions by which a program on Linux gets memory.
const ALLOCATE: [&str; 6] =
    ["malloc", "calloc", "realloc", "posix_memalign", "memalign", "aligned_alloc"];

/// What a program did between two dumps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    /// The instructions of the program itself. Those of the system's libraries differ from system to system.
    pub(crate) own: u64,
    /// The instructions of the system's libraries, such as those that copy and allocate memory.
    pub(crate) system: u64,
    /// How often memory was allocated.
    pub(crate) allocations: u64,
}

/// Reads what callgrind has written about a program with this name.
///
/// The format is described in valgrind's manual, "Callgrind Format Specification".
pub(crate) fn read(text: &str, program: &str) -> Cost {
    let (mut objects, mut functions) = (HashMap::new(), HashMap::new());
    let (mut object, mut called) = (String::new(), String::new());
    let mut cost = Cost::default();
    let mut is_of_call = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            object = resolve(name, &mut objects);
        } else if let Some(name) = line.strip_prefix("cob=") {
            resolve(name, &mut objects);
        } else if let Some(name) = line.strip_prefix("fn=") {
            resolve(name, &mut functions);
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = resolve(name, &mut functions);
        } else if let Some(call) = line.strip_prefix("calls=") {
            let is_own = object.ends_with(program);
            if is_own && ALLOCATE.contains(&called.as_str()) {
                let calls = call.split(' ').next().and_then(|number| number.parse().ok());
                cost.allocations += calls.unwrap_or(0);
            }
            is_of_call = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            // The line after a call has what was spent inside of it, which is also in the lines of that function.
            let instructions: u64 =
                line.split(' ').nth(1).and_then(|number| number.parse().ok()).unwrap_or(0);
            if !std::mem::take(&mut is_of_call) {
                let part = if object.ends_with(program) { &mut cost.own } else { &mut cost.system };
                *part += instructions;
            }
        }
    }
    cost
}

/// The name that `(1) name` introduces, or for which `(1)` stands later.
fn resolve(text: &str, names: &mut HashMap<String, String>) -> String {
    let Some((number, name)) = text.split_once(')') else { return text.to_owned() };
    if !name.is_empty() {
        // A function of which there are several, as it is called by itself, has a suffix.
        let name = name.trim().split('\'').next().unwrap_or_default();
        names.insert(number.to_owned(), name.to_owned());
    }
    names.get(number).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_instructions_and_allocations_are_read() {
        let text = "\
# callgrind format
ob=(1) /target/release/program
fl=(1) main.rs
fn=(1) program::measured
1 10
+2 5
cob=(2) /lib/libc.so.6
cfi=(2) malloc.c
cfn=(2) malloc
calls=3 20
+1 300
cfn=(1)
calls=1 1
* 1000
* 2

ob=(2)
fn=(2)
20 290
cfn=(3) _int_malloc
calls=1 20
* 10
fn=(3)
30 10
";
        let cost = read(text, "/program");
        assert_eq!(cost, Cost { own: 17, system: 300, allocations: 3 });
    }
}
