//! Small documents: what the frozen document has no place for.

use serde_json::{Value, json};
use xtask::diff::report::{self, ReportFormat};
use xtask::diff::{self, Diff};
use xtask::normalise;

use crate::xtask::with_shell;

/// A document with one operation, and what `change` makes of it.
fn document(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Things", "version": "1" },
        "paths": { "/things": { "post": {
            "operationId": "add_thing",
            "requestBody": {
                "required": true,
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } },
            },
            "responses": { "200": {
                "description": "",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } },
            } },
        } } },
        "components": { "schemas": { "Thing": { "type": "object", "properties": { "name": { "type": "string" } } } } },
    });
    change(&mut document);
    normalise::normalise(document, "document").unwrap()
}

/// The document with these properties of the thing.
fn thing(properties: &Value) -> Value {
    document(|document| document["components"]["schemas"]["Thing"]["properties"] = properties.clone())
}

/// The document with this list of security alternatives.
fn secured(alternatives: &Value) -> Value {
    document(|document| document["paths"]["/things"]["post"]["security"] = alternatives.clone())
}

/// The document with this union as the thing.
fn union(members: &[Value]) -> Value {
    document(|document| document["components"]["schemas"]["Thing"] = json!({ "anyOf": members }))
}

fn text(diff: &Diff) -> String {
    with_shell(|shell| report::write(diff, ReportFormat::Text, shell).unwrap()).1
}

fn both_ways(before: &Value, after: &Value) -> String {
    [diff::documents(before, after), diff::documents(after, before)].each_ref().map(text).join("\n")
}

fn assert_equal(before: &Value, after: &Value) {
    for diff in [diff::documents(before, after), diff::documents(after, before)] {
        assert_eq!(diff.level(), None, "{}", text(&diff));
    }
}

#[test]
fn the_order_of_scopes_is_not_a_difference() {
    assert_equal(&secured(&json!([{ "oauth": ["a", "b"] }])), &secured(&json!([{ "oauth": ["b", "a"] }])));
}

#[test]
fn a_looser_alternative_breaks_nobody() {
    let strict = json!([{ "key": [], "oauth": ["a", "b"] }]);
    insta::assert_snapshot!(both_ways(&secured(&strict), &secured(&json!([{ "oauth": ["b"] }]))));
}

#[test]
fn a_lower_limit_of_zero_is_no_limit() {
    let schema = json!({ "type": "array", "items": { "type": "string" } });
    let mut limited = schema.clone();
    limited["minItems"] = json!(0);
    limited["items"]["minLength"] = json!(0);
    assert_equal(&thing(&json!({ "names": schema })), &thing(&json!({ "names": limited })));
}

#[test]
fn a_keyword_repeated_next_to_a_union_with_null_is_not_a_difference() {
    let map = json!({ "type": "object", "additionalProperties": true });
    let union = json!({ "anyOf": [map, { "type": "null" }] });
    let mut repeated = union.clone();
    repeated["additionalProperties"] = json!(true);
    assert_equal(&thing(&json!({ "more": union })), &thing(&json!({ "more": repeated })));
}

#[test]
fn a_removed_property_is_renamed_only_if_one_added_property_can_be_meant() {
    let text = json!({ "type": "string" });
    let cases = [
        ("a word is the same", json!({ "is_expired": text }), json!({ "has_expired": text })),
        ("no word is the same", json!({ "name": text }), json!({ "colour": text })),
        ("two are added", json!({ "old_name": text }), json!({ "new_name": text, "full_name": text })),
        ("two are removed", json!({ "first_name": text, "last_name": text }), json!({ "name": text })),
    ];
    let reports = cases.map(|(name, before, after)| {
        let removed = diff::documents(&thing(&before), &thing(&after)).changes.into_iter();
        let texts =
            removed.filter(|change| change.id == "response-property-removed").map(|change| change.text);
        format!("{name}: {}", texts.collect::<Vec<_>>().join("; "))
    });
    insta::assert_snapshot!(reports.join("\n"));
}

#[test]
fn a_change_that_operations_share_names_none_of_them() {
    let shared = |required: bool| {
        document(|document| {
            let get = document["paths"]["/things"]["post"].clone();
            document["paths"]["/things"]["get"] = get;
            document["paths"]["/things"]["get"]["operationId"] = json!("list_things");
            document["paths"]["/things"]["parameters"] = json!([{ "in": "query", "name": "page", "required": required, "schema": { "type": "integer" } }]);
        })
    };
    insta::assert_snapshot!(text(&diff::documents(&shared(false), &shared(true))));
}

#[test]
fn the_same_document_as_openapi_3_0_and_3_1_does_not_differ() {
    let old = document(|document| {
        document["openapi"] = json!("3.0.3");
        document["components"]["schemas"]["Thing"]["properties"] = json!({
            "name": { "type": "string", "nullable": true, "title": "Name", "example": "a" },
            "other": { "allOf": [{ "$ref": "#/components/schemas/Thing" }], "nullable": true },
            "kind": { "type": "string", "nullable": true, "enum": ["a", "b", null] },
            "size": { "type": "integer", "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false },
            "nullable": { "type": "boolean", "nullable": false, "example": { "nullable": true } },
        });
    });
    let new = thing(&json!({
        "name": { "anyOf": [{ "type": "string" }, { "type": "null" }], "title": "Name", "example": "a" },
        "other": { "anyOf": [{ "$ref": "#/components/schemas/Thing" }, { "type": "null" }] },
        "kind": { "anyOf": [{ "type": "string", "enum": ["a", "b"] }, { "type": "null" }] },
        "size": { "type": "integer", "exclusiveMinimum": 0, "maximum": 9 },
        "nullable": { "type": "boolean", "example": { "nullable": true } },
    }));
    assert_equal(&old, &new);
}

/// Comparing each member with each other would take hours.
#[test]
fn a_union_of_two_thousand_members_is_compared_member_by_member() {
    const MEMBERS: usize = 2000;
    let kinds: [fn(usize, &str) -> Value; 3] = [
        |at, kind| json!({ "properties": { "kind": { "const": at }, "value": { "type": kind } } }),
        |at, kind| json!({ "title": format!("{at}"), "properties": { "value": { "type": kind } } }),
        |at, kind| json!({ "properties": { format!("field {at}"): {}, "value": { "type": kind } } }),
    ];
    for member in kinds {
        let all = |kind| union(&(0..MEMBERS).map(|at| member(at, kind)).collect::<Vec<_>>());
        let mut reversed = all("integer");
        reversed["components"]["schemas"]["Thing"]["anyOf"].as_array_mut().unwrap().reverse();
        let changes = diff::documents(&all("string"), &reversed).changes;
        assert!(changes.iter().all(|change| change.id.ends_with("type-changed")), "{:?}", changes[0]);
        assert_eq!(changes.len(), 2 * MEMBERS);
    }
}
