//! Templates and what docker prints for them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::*;

fn data() -> Value {
    let labels = [("b", "2"), ("com.x/a", "1")].map(|(k, v)| (k.to_owned(), v.into()));
    Value::fields([
        ("Id", "abcdef".into()),
        (
            "State",
            Value::fields([("Status", "running".into()), ("ExitCode", Value::Int(3))]),
        ),
        ("Labels", Value::Map(BTreeMap::from(labels))),
        ("Args", Value::List(vec!["-c".into(), "echo \"hi\"".into()])),
        ("Running", true.into()),
        ("Size", Value::Int(2048)),
        ("Nothing", Value::Nil),
    ])
}

fn render(text: &str) -> Result<String, String> {
    let template = Template::parse(text).map_err(|e| e.to_string())?;
    template.render(&data()).map_err(|e| e.to_string())
}

#[track_caller]
fn check(text: &str, want: &str) {
    assert_eq!(render(text).as_deref(), Ok(want), "{text}");
}

#[test]
fn as_docker_prints_them() {
    for (text, want) in [
        ("plain", "plain"),
        ("{{.Id}}", "abcdef"),
        ("{{ .State.Status }}/{{.State.ExitCode}}", "running/3"),
        ("{{.State}}", "{running 3}"),
        ("{{.Labels}}", "map[b:2 com.x/a:1]"),
        ("{{.Args}}", "[-c echo \"hi\"]"),
        ("{{.Nothing}}", "<no value>"),
        ("{{.Labels.nope}}", "<no value>"),
        ("{{index .Labels \"com.x/a\"}}", "1"),
        ("[{{index .Labels \"nope\"}}]", "[]"),
        ("{{index .Args 1}}", "echo \"hi\""),
        ("{{json .State}}", "{\"Status\":\"running\",\"ExitCode\":3}"),
        ("{{json .Args}}", "[\"-c\",\"echo \\\"hi\\\"\"]"),
        ("{{json .Nothing}}", "null"),
        (
            "{{.State | json}}",
            "{\"Status\":\"running\",\"ExitCode\":3}",
        ),
        ("{{range .Args}}<{{.}}>{{end}}", "<-c><echo \"hi\">"),
        (
            "{{range $i, $a := .Args}}{{$i}}={{$a}} {{end}}",
            "0=-c 1=echo \"hi\" ",
        ),
        (
            "{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}",
            "b=2;com.x/a=1;",
        ),
        ("{{range .Nothing}}x{{else}}none{{end}}", "none"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range .Args}}{{break}}{{end}}ok", "ok"),
        (
            "{{range $i, $a := .Args}}{{if $i}}{{continue}}{{end}}{{$a}}{{end}}",
            "-c",
        ),
        ("{{if .Running}}up{{else}}down{{end}}", "up"),
        (
            "{{if .Nothing}}a{{else if eq .State.ExitCode 3}}b{{else}}c{{end}}",
            "b",
        ),
        (
            "{{with .State}}{{.Status}} {{$.Id}}{{end}}",
            "running abcdef",
        ),
        ("{{with .Nothing}}x{{else}}y{{end}}", "y"),
        ("{{$x := .Id}}{{$x}}{{$x = \"z\"}}{{$x}}", "abcdefz"),
        ("{{$n := 0}}{{range .Args}}{{$n = len .}}{{end}}{{$n}}", "9"),
        ("{{with $s := .State}}{{$s.Status}}{{end}}", "running"),
        ("a  {{- .Id -}}  b", "aabcdefb"),
        ("a {{/* no */}}b", "a b"),
        ("a {{- /* no */ -}} b", "ab"),
        ("{{\"{{\"}}", "{{"),
        ("{{`raw\\n`}}", "raw\\n"),
        ("{{(index .Args 1) | upper}}", "ECHO \"HI\""),
        ("{{(slice .Args 0 1) | json}}", "[\"-c\"]"),
        ("{{slice .Id 1 3}}", "bc"),
        ("{{with (.State)}}{{(.).Status}}{{end}}", "running"),
        ("{{join .Args \" \"}}", "-c echo \"hi\""),
        ("{{index (split .Id \"c\") 0}}", "ab"),
        (
            "{{title \"hello wide world\"}} {{lower \"AB\"}}",
            "Hello Wide World ab",
        ),
        (
            "{{truncate .Id 3}}|{{pad .Id 1 2}}|{{pad \"\" 1 2}}",
            "abc| abcdef  |",
        ),
        ("{{len .Args}} {{len .Labels}} {{len .Id}}", "2 2 6"),
        ("{{println .Id 1}}", "abcdef 1\n"),
        ("{{print 1 2 \"a\" 3}}", "1 2a3"),
        (
            "{{and .Running .Id}} {{or .Nothing \"x\"}} {{not .Running}}",
            "abcdef x false",
        ),
        (
            "{{eq .Id \"a\" \"abcdef\"}} {{ne 1 2}} {{lt 1 2}} {{ge 2 2}} {{gt .Size 1}} {{le \"a\" \"b\"}}",
            "true true true true true true",
        ),
        ("{{and .Nothing (index .Args 9)}}", "<no value>"),
        ("{{or .Running (index .Args 9)}}", "true"),
    ] {
        check(text, want);
    }
}

#[test]
fn printf_is_gos() {
    for (text, want) in [
        ("{{printf \"%s-%d\" .Id .Size}}", "abcdef-2048"),
        (
            "{{printf \"%v %q %t\" .Id .Id .Running}}",
            "abcdef \"abcdef\" true",
        ),
        (
            "{{printf \"%-8s|%8s|%.3s\" .Id .Id .Id}}",
            "abcdef  |  abcdef|abc",
        ),
        (
            "{{printf \"%05d|%+d|%x|%#x\" 42 42 255 255}}",
            "00042|+42|ff|0xff",
        ),
        ("{{printf \"%.2f %6.1f\" 3.14159 2.5}}", "3.14    2.5"),
        ("{{printf \"%d%%\" 5}}", "5%"),
        ("{{printf \"%d\" \"x\"}}", "%!d(string=x)"),
        ("{{printf \"%d\"}}", "%!d(MISSING)"),
        ("{{printf \"x\" 1}}", "x%!(EXTRA int=1)"),
        ("{{.Id | printf \"%s!\"}}", "abcdef!"),
        ("{{printf \"%e\" 1234.5}}", "1.234500e+03"),
    ] {
        check(text, want);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    for (text, want) in [
        (
            "{{.Nope}}",
            "there is no field `.Nope`; there are .Id .State .Labels .Args .Running .Size .Nothing",
        ),
        ("{{.Id.X}}", "can't take field `.X` of abcdef (a string)"),
        ("{{.Nothing.X}}", "can't take field `.X` of nothing"),
        ("{{wat}}", "function `wat` does not exist"),
        ("{{.Id", "an action is not closed with `}}`"),
        ("{{if .Id}}x", "`if` is not closed with `{{end}}`"),
        ("{{end}}", "`{{end}}` without an opening"),
        ("{{else}}", "`{{else}}` without an opening"),
        ("{{}}", "an action is empty"),
        ("{{break}}", "`{{break}}` outside of a range"),
        ("{{\"x}}", "a string is not closed"),
        ("{{.Id | }}", "a command is missing in a pipeline"),
        ("{{$x}}", "variable `$x` is not defined"),
        ("{{index .Args 9}}", "index 9 is out of range (2 elements)"),
        ("{{eq 1 \"a\"}}", "eq: cannot compare int with string"),
        ("{{len 3}}", "len of a int"),
        ("{{.Id 3}}", "`Id` is not a method, but is given arguments"),
        (
            "{{3 | .Id}}",
            "`Id` is not a method, but is given arguments",
        ),
        (
            "{{.Id | 3}}",
            "`3` is not a function, but is given arguments",
        ),
        (
            "{{range .Id}}x{{end}}",
            "range can't iterate over abcdef (a string)",
        ),
        (
            "{{template \"x\"}}",
            "`template` is not supported in templates here",
        ),
        ("{{if}}x{{end}}", "a command is missing in a pipeline"),
        ("{{1 2}}", "`1` is not a function, but is given arguments"),
        ("{{%}}", "unexpected `%` in a template's action"),
    ] {
        assert_eq!(render(text), Err(want.to_owned()), "{text}");
    }
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let groups = format!("{{{{{}1{}}}}}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(
        render(&groups),
        Err("the template is nested too deep".into())
    );
    assert_eq!(
        render(&"{{if 1}}".repeat(5000)),
        Err("the template is nested too deep".into())
    );
}

#[test]
fn methods_take_arguments_and_lazy_fields_do_not() {
    let label: value::Method = Rc::new(|args| match args {
        [Value::Str(name)] => Ok(format!("<{name}>").into()),
        _ => Err("Label needs a name".into()),
    });
    let row = Value::fields([
        ("ID", "1".into()),
        ("Label", Value::Method(label)),
        ("Size", Value::Method(Rc::new(|_| Ok("5B".into())))),
    ]);
    let render = |text: &str| {
        Template::parse(text)
            .expect("a template")
            .render(&row)
            .map_err(|e| e.to_string())
    };
    assert_eq!(
        render("{{.Label \"a.b\"}} {{.Size}} {{.Label \"c\" | upper}}"),
        Ok("<a.b> 5B <C>".into())
    );
    assert_eq!(render("{{.Label}}"), Err("Label needs a name".into()));
    assert_eq!(
        render("{{json .}}"),
        Ok("{\"ID\":\"1\",\"Size\":\"5B\"}".into())
    );
}
