//! The specification's table of interpolation, and nonsense.

use super::*;

fn variables() -> Variables {
    let pairs = [
        ("SET", "value"),
        ("EMPTY", ""),
        ("ONE", "1"),
        ("_x9", "under"),
    ];
    Variables::new(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into())
}

#[test]
fn the_table_of_the_specification() {
    for (text, want) in [
        ("", ""),
        ("plain", "plain"),
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a${SET}b", "avalueb"),
        ("$SET-$ONE", "value-1"),
        ("$_x9", "under"),
        ("$$SET", "$SET"),
        ("$$$SET", "$value"),
        ("$$$$", "$$"),
        ("$", "$"),
        ("a $ b $1 $.", "a $ b $1 $."),
        ("${UNSET}", ""),
        ("${SET:-d}", "value"),
        ("${EMPTY:-d}", "d"),
        ("${UNSET:-d}", "d"),
        ("${SET-d}", "value"),
        ("${EMPTY-d}", ""),
        ("${UNSET-d}", "d"),
        ("${SET:?e}", "value"),
        ("${EMPTY?e}", ""),
        ("${SET:+r}", "r"),
        ("${EMPTY:+r}", ""),
        ("${UNSET:+r}", ""),
        ("${SET+r}", "r"),
        ("${EMPTY+r}", "r"),
        ("${UNSET+r}", ""),
        ("${UNSET:-}", ""),
        ("${UNSET:-${SET}}", "value"),
        ("${UNSET:-${EMPTY:-${ONE}}}", "1"),
        ("${UNSET:-a-${SET}-b}c", "a-value-bc"),
        ("${SET:+${ONE}}x", "1x"),
        ("${UNSET:-{\"a\": {}}}", "{\"a\": {}}"),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${UNSET:-$$}", "$"),
        ("${SET:-${EMPTY:?not asked}}", "value"),
        ("{$SET}", "{value}"),
        ("日本$SET", "日本value"),
    ] {
        assert_eq!(variables().replace(text), Ok(want.to_owned()), "{text}");
    }
}

#[test]
fn what_is_required_and_what_makes_no_sense() {
    let required = |name: &str, why: &str| Fault::Required {
        name: name.into(),
        why: why.into(),
    };
    for (text, want) in [
        ("${EMPTY:?it is empty}", required("EMPTY", "it is empty")),
        ("${UNSET?}", required("UNSET", "")),
        ("${UNSET:?set $SET}", required("UNSET", "set value")),
        ("${SET:+${UNSET:?in use}}", required("UNSET", "in use")),
    ] {
        assert_eq!(variables().replace(text), Err(want), "{text}");
    }
    for text in [
        "${",
        "${}",
        "${SET",
        "${SET:-a",
        "${SET!}",
        "${ SET}",
        "${SET }",
        "${1}",
        "${SET:a}",
        "${UNSET:-${}",
    ] {
        let fault = variables().replace(text).unwrap_err();
        assert!(matches!(fault, Fault::Form(_)), "{text}: {fault:?}");
    }
    let deep = format!("{}{}", "${UNSET:-".repeat(100), "}".repeat(100));
    assert_eq!(variables().replace(&deep), Err(Fault::TooLarge));
}

#[test]
fn each_variable_is_missed_once_and_only_where_it_counts() {
    let variables = variables();
    for text in [
        "$A ${B} $A",
        "${C:-x}",
        "${D:+x}",
        "${SET:-$E}",
        "${UNSET:+$F}",
    ] {
        variables.replace(text).unwrap();
    }
    assert_eq!(variables.missed(), ["A", "B"]);
}
