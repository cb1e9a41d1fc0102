//! Writes an OpenAPI document as one HTML page: no script, nothing loaded, everything escaped.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::escaped;

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// The page.
pub(super) fn page(api: &Value, style: &str) -> String {
    let title = escaped(text(api, "/info/title"));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>{style}</style></head><body>\
         <h1>{title}</h1><p class=\"quiet\">Version {}. <a href=\"/openapi.json\">OpenAPI document</a></p>{}",
        escaped(text(api, "/info/version")),
        prose(text(api, "/info/description")),
    );
    let calls = calls(api);
    contents(&mut html, &calls);
    let mut section = None;
    for call in &calls {
        if section != Some(call.tag) {
            let _ = write!(html, "<h2>{}</h2>", escaped(call.tag));
            section = Some(call.tag);
        }
        call.write(&mut html);
    }
    schemas(&mut html, api);
    html.push_str("</body></html>\n");
    html
}

/// One operation.
struct Call<'a> {
    tag: &'a str,
    path: &'a str,
    method: &'static str,
    operation: &'a Value,
}

fn calls(api: &Value) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    for (path, item) in members(api, "/paths") {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                let tag = operation
                    .pointer("/tags/0")
                    .and_then(Value::as_str)
                    .unwrap_or("other");
                calls.push(Call {
                    tag,
                    path,
                    method,
                    operation,
                });
            }
        }
    }
    calls.sort_by_key(|call| (call.tag, call.path));
    calls
}

fn contents(html: &mut String, calls: &[Call]) {
    html.push_str("<nav><ul>");
    for call in calls {
        let _ = write!(
            html,
            "<li><a href=\"#{}\">{} <code>{}</code></a></li>",
            call.anchor(),
            call.method.to_uppercase(),
            escaped(call.path)
        );
    }
    html.push_str("</ul></nav>");
}

impl Call<'_> {
    fn anchor(&self) -> String {
        let path: String = self
            .path
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        format!("{}{path}", self.method)
    }

    fn write(&self, html: &mut String) {
        let (method, path) = (self.method.to_uppercase(), escaped(self.path));
        let _ = write!(
            html,
            "<h3 id=\"{}\"><span class=\"method\">{method}</span>{path}</h3>",
            self.anchor()
        );
        html.push_str(&prose(text(self.operation, "/summary")));
        html.push_str(&prose(text(self.operation, "/description")));
        self.parameters(html);
        for (media, content) in members(self.operation, "/requestBody/content") {
            let shape = content.get("schema").map(shape).unwrap_or_default();
            let _ = write!(html, "<p>Body <code>{}</code>: {shape}</p>", escaped(media));
        }
        self.responses(html);
    }

    fn parameters(&self, html: &mut String) {
        let Some(parameters) = self.operation.get("parameters").and_then(Value::as_array) else {
            return;
        };
        html.push_str("<table><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr>");
        for parameter in parameters {
            let must = parameter.get("required") == Some(&Value::Bool(true));
            let _ = write!(
                html,
                "<tr><td class=\"name\">{}</td><td>{}{}</td><td>{}</td><td>{}</td></tr>",
                escaped(text(parameter, "/name")),
                escaped(text(parameter, "/in")),
                if must { ", required" } else { "" },
                parameter.get("schema").map(shape).unwrap_or_default(),
                prose(text(parameter, "/description")),
            );
        }
        html.push_str("</table>");
    }

    fn responses(&self, html: &mut String) {
        html.push_str("<table><tr><th>Answer</th><th>Body</th><th></th></tr>");
        for (status, response) in members(self.operation, "/responses") {
            let bodies: Vec<String> = members(response, "/content")
                .map(|(media, content)| {
                    let shape = content.get("schema").map(shape).unwrap_or_default();
                    format!("{shape} <span class=\"quiet\">{}</span>", escaped(media))
                })
                .collect();
            let _ = write!(
                html,
                "<tr><td class=\"name\">{}</td><td>{}</td><td>{}</td></tr>",
                escaped(status),
                bodies.join("<br>"),
                prose(text(response, "/description")),
            );
        }
        html.push_str("</table>");
    }
}

fn schemas(html: &mut String, api: &Value) {
    html.push_str("<h2>Shapes</h2>");
    for (name, schema) in members(api, "/components/schemas") {
        let _ = write!(
            html,
            "<h3 id=\"shape-{0}\">{0}</h3>{1}",
            escaped(name),
            prose(text(schema, "/description"))
        );
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut rows = String::new();
        for (member, of) in members(schema, "/properties") {
            let must = if required.contains(&member) {
                ", required"
            } else {
                ""
            };
            let _ = write!(
                rows,
                "<tr><td class=\"name\">{}</td><td>{}{must}</td><td>{}</td></tr>",
                escaped(member),
                shape(of),
                prose(text(of, "/description")),
            );
        }
        if rows.is_empty() {
            let _ = write!(html, "<p>{}</p>", shape(schema));
        } else {
            let _ = write!(
                html,
                "<table><tr><th>Member</th><th>Type</th><th></th></tr>{rows}</table>"
            );
        }
    }
}

/// A type in a few words, with a link when it has a name.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = escaped(name.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    for (key, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(choices) = schema.get(key).and_then(Value::as_array) {
            return choices.iter().map(shape).collect::<Vec<_>>().join(between);
        }
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values
            .iter()
            .map(|v| format!("<code>{}</code>", escaped(&bare(v))))
            .collect();
        return values.join(" · ");
    }
    let name = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().map(bare).collect::<Vec<_>>().join(" or "),
        Some(one) => bare(one),
        None => "anything".to_owned(),
    };
    let inner = schema
        .get("items")
        .map(|items| format!(" of {}", shape(items)))
        .unwrap_or_default();
    format!("{}{inner}{}", escaped(&name), bounds(schema))
}

fn bounds(schema: &Value) -> String {
    const BOUNDS: [(&str, &str); 8] = [
        ("format", ""),
        ("minLength", "at least "),
        ("maxLength", "at most "),
        ("minimum", "from "),
        ("maximum", "to "),
        ("maxItems", "at most "),
        ("pattern", ""),
        ("default", "default "),
    ];
    let told: Vec<String> = BOUNDS
        .iter()
        .filter_map(|(key, word)| {
            schema
                .get(*key)
                .map(|value| format!("{word}{}", escaped(&bare(value))))
        })
        .collect();
    if told.is_empty() {
        String::new()
    } else {
        format!(" <span class=\"quiet\">({})</span>", told.join(", "))
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn members<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    value
        .pointer(pointer)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, of)| (name.as_str(), of))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A description: paragraphs, and what stands between backticks as code.
fn prose(text: &str) -> String {
    text.split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .fold(String::new(), |mut html, paragraph| {
            html.push_str("<p>");
            for (at, part) in escaped(paragraph).split('`').enumerate() {
                let _ = if at % 2 == 1 {
                    write!(html, "<code>{part}</code>")
                } else {
                    write!(html, "{part}")
                };
            }
            html.push_str("</p>");
            html
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_told_in_words() {
        let cases = [
            (
                json!({"type": ["string", "null"], "maxLength": 5}),
                "string or null <span class=\"quiet\">(at most 5)</span>",
            ),
            (
                json!({"type": "array", "items": {"$ref": "#/components/schemas/A"}}),
                "array of <a href=\"#shape-A\">A</a>",
            ),
            (
                json!({"oneOf": [{"type": "null"}, {"enum": ["a<b"]}]}),
                "null or <code>a&lt;b</code>",
            ),
            (json!({}), "anything"),
        ];
        for (schema, expected) in cases {
            assert_eq!(shape(&schema), expected);
        }
    }

    #[test]
    fn nothing_hostile_passes_through() {
        let evil = "<img src=x onerror='a'>\"&";
        let api = json!({
            "info": {"title": evil, "description": evil, "version": evil},
            "paths": {evil: {"get": {"tags": [evil], "summary": evil, "description": evil,
                "parameters": [{"name": evil, "in": evil, "description": evil, "schema": {"type": evil, "pattern": evil}}],
                "requestBody": {"content": {evil: {"schema": {"$ref": evil}}}},
                "responses": {evil: {"description": evil, "content": {evil: {"schema": {"enum": [evil]}}}}}}}},
            "components": {"schemas": {evil: {"description": evil, "properties": {evil: {"description": evil}}}}}
        });
        assert!(!page(&api, "").contains("<img"));
        assert!(!page(&api, "").contains("onerror='"));
    }
}
