//! Payloads that no system sends: nothing may panic.

use serde_json::{Value, json};

use super::{
    alpinebits::{self, AlpineBits},
    apaleo::{self, Apaleo},
    cloudbeds::{self, Cloudbeds},
    csv::{Mapping, Rows},
    guess::suggest,
    json,
    mews::{self, Mews},
    ohip::{self, Ohip},
    records::{Cut, Records},
    tests::{REQUEST, input, profile},
    told::Connector,
    xml,
};

/// Replaces the value at the place that `steps` lead to.
fn disturb(value: &mut Value, steps: &[usize], by: &Value) {
    let Some((step, rest)) = steps.split_first() else {
        *value = by.clone();
        return;
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            let at = step % members.len();
            disturb(members.values_mut().nth(at).unwrap(), rest, by);
        }
        Value::Array(items) if !items.is_empty() => {
            let at = step % items.len();
            disturb(&mut items[at], rest, by);
        }
        other => *other = by.clone(),
    }
}

proptest::proptest! {
    #[test]
    fn no_payload_makes_a_connector_panic(
        steps in proptest::collection::vec(0_usize..40, 0..12), which in 0_usize..10, text in "\\PC{0,20}",
    ) {
        let strange = [
            json!(null), json!({}), json!([]), json!(true), json!(-1.5e300), json!(text), json!([[[]]]), json!({"code": []}),
            json!([text, null, {"a": text}]), json!(u64::MAX),
        ];
        for mut payload in [profile(), json!({"reservations": [{"id": "1", "primaryGuest": {"firstName": "A"}, "adults": "2"}]})] {
            disturb(&mut payload, &steps, &strange[which]);
            let text = payload.to_string();
            let cut = |places| Cut::Json(json::Elements::new(input(&text), places));
            let connectors: [(Cut, Box<dyn Connector>); 4] = [
                (cut(ohip::PLACES), Box::new(Ohip)),
                (cut(cloudbeds::PLACES), Box::new(Cloudbeds)),
                (cut(mews::PLACES), Box::<Mews>::default()),
                (cut(apaleo::PLACES), Box::new(Apaleo)),
            ];
            for (cut, connector) in connectors {
                let _lines = Records::new(cut, connector).count();
            }
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC{0,200}", from in 0_usize..1500, to in 0_usize..1500) {
        let mut torn = REQUEST.to_owned();
        let (from, to) = (from.min(to).min(torn.len()), from.max(to).min(torn.len()));
        if torn.is_char_boundary(from) && torn.is_char_boundary(to) {
            torn.replace_range(from..to, &text);
        }
        for text in [torn, text] {
            let xml = Cut::Xml(xml::Elements::new(input(&text), alpinebits::ELEMENT));
            let _lines = Records::new(xml, Box::new(AlpineBits)).count();
            let cut = Cut::Json(json::Elements::new(input(&text), ohip::PLACES));
            let _lines = Records::new(cut, Box::new(Ohip)).count();
            let mapping = Mapping::read(&suggest(&text));
            if let Ok(rows) = Rows::new(input(&text), &mapping.unwrap()) {
                let _rows = rows.read_bytes();
            }
        }
    }
}
