//! Lines of files of variables.

use super::*;

fn outside(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("outer".to_owned()),
        _ => None,
    }
}

fn values(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    parse(text, &outside, &mut values, &mut |_| {}).unwrap();
    values
}

#[test]
fn each_way_to_write_a_value() {
    for (text, want) in [
        ("A=b", "b"),
        ("A = b ", "b"),
        ("A: b", "b"),
        ("export A=b", "b"),
        ("export\tA=b", "b"),
        ("\n\n  # words\nA=b", "b"),
        ("A=b # words", "b"),
        ("A=b#c", "b#c"),
        ("A=# words", ""),
        ("A=", ""),
        ("A=\nB=x", ""),
        ("A=''", ""),
        ("A='b c' # words", "b c"),
        ("A='$HOST \\n \\' #'", "$HOST \\n ' #"),
        ("A=\"b\\nc\\t\\\"d\\\\\"", "b\nc\t\"d\\"),
        ("A=\"two\nlines\"", "two\nlines"),
        ("A=\"\\$HOST\"", "$HOST"),
        ("A=$HOST", "outer"),
        ("B=1\nA=x${B}y", "x1y"),
        ("HOST=inner\nA=$HOST", "outer"),
        ("A=\"${NO:-d}\"", "d"),
        ("A=a=b", "a=b"),
        ("A=b\r\nB=c\r\n", "b"),
        ("\u{feff}A=b", "b"),
        ("A=first\nA=second", "second"),
        ("A=it's", "it's"),
    ] {
        assert_eq!(values(text)["A"], want, "{text:?}");
    }
}

#[test]
fn a_name_alone_is_inherited() {
    let got = values("HOST\nNO\nB=1");
    assert_eq!(got.get("HOST").map(String::as_str), Some("outer"));
    assert_eq!(got.get("NO"), None);
    assert_eq!(got["B"], "1");
}

#[test]
fn nonsense_is_told_with_its_line() {
    for (text, line, says) in [
        ("A=1\nB C=2", 2, "no name"),
        ("A=\"1\n2\"\n=3", 3, "no name"),
        ("A='x", 1, "not closed"),
        ("A='x'y", 1, "behind the closing quote"),
        ("\nA=${", 2, "has no name"),
        (
            "A=${B:?why}",
            1,
            "required variable B is missing a value: why",
        ),
    ] {
        let wrong = parse(text, &outside, &mut BTreeMap::new(), &mut |_| {}).unwrap_err();
        assert_eq!(wrong.line, line, "{text:?}");
        assert!(wrong.text.contains(says), "{text:?}: {wrong:?}");
    }
}

#[test]
fn raw_files_mean_what_they_say() {
    let mut values = BTreeMap::new();
    parse_raw("# w\nA='$B' # c\nHOST\nNO\n", &outside, &mut values).unwrap();
    assert_eq!(values["A"], "'$B' # c");
    assert_eq!(values["HOST"], "outer");
    assert_eq!(values.len(), 2);
    assert!(parse_raw("A B=1", &outside, &mut values).is_err());
}
