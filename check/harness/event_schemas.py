#!/usr/bin/env python3
"""The schemas of events, as a validator of JSON Schema sees them.

    event_schemas.py check DIR      what is wrong with the schemas themselves, a line each
    event_schemas.py examples DIR   examples of each type's data, for what handles them: TYPE, "ok" or "bad", a pointer
                                    or what is special about it, and the data, with tabs between
    event_schemas.py verify DIR     examples on standard input that are not what they say they are
    event_schemas.py validate DIR   of envelopes on standard input, one a line, the faults; then, to the end, how many
                                    there were of each type, as "# TYPE COUNT"

DIR is etc/events. Exit status 0 when there is no fault.
"""
import copy
import json
import pathlib
import re
import sys

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

ARRAY_MOST = 100        # elements of the longest array in an example
SUFFIX = ".schema.json"


def load(folder):
    """The schemas by type; "envelope" is one of them."""
    return {path.name[:-len(SUFFIX)]: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(pathlib.Path(folder).glob("*" + SUFFIX))}


def types(schemas):
    return [name for name in schemas if name != "envelope"]


# ---- the schemas themselves

def undescribed(schema, where):
    """Members that do not say what they are, and objects that are closed to what may come."""
    if schema.get("additionalProperties", True) is not True:
        yield f"{where} refuses members that a newer sender may add"
    for name, member in schema.get("properties", {}).items():
        if not member.get("description"):
            yield f"{where}/{name} has no description"
        yield from undescribed(member, f"{where}/{name}")
    if "items" in schema:
        yield from undescribed(schema["items"], where + "/0")


def check(folder):
    schemas = load(folder)
    for name, schema in schemas.items():
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            yield f"{name}: {error.message}"
        if schema.get("$id") != f"urn:tandem:events:{name}":
            yield f"{name}: its $id is {schema.get('$id')}"
        if not schema.get("title") or not schema.get("description"):
            yield f"{name}: it has no title or no description"
        if name != "envelope" and not re.fullmatch(schemas["envelope"]["properties"]["type"]["pattern"], name):
            yield f"{name}: the envelope's schema does not take this type"
        yield from (f"{name}: {fault}" for fault in undescribed(schema, ""))


# ---- examples

def example(schema, all_members, at=0):
    """A value that fits: with the members it has to have, or all that are known."""
    kind = schema["type"]
    if kind == "object":
        names = schema["properties"] if all_members else schema.get("required", [])
        return {name: example(schema["properties"][name], all_members, at) for name in names}
    if kind == "array":
        return [example(schema["items"], all_members, i) for i in range(schema.get("minItems", 0))]
    return copy.deepcopy(schema["examples"][0])


def widest(schema, at=0):
    """One that is as large as it may be, or as ARRAY_MOST elements are."""
    kind = schema["type"]
    if kind == "object":
        return {name: widest(member, at) for name, member in schema["properties"].items()}
    if kind == "array":
        return [widest(schema["items"], i) for i in range(min(schema["maxItems"], ARRAY_MOST))]
    if kind == "integer":
        return schema["maximum"]
    if "maxLength" in schema:
        return f"{at:04}".rjust(schema["maxLength"], "x")
    return schema["examples"][0]


def with_unknown(value):
    """The same with members that nobody knows, in every object."""
    if isinstance(value, list):
        return [with_unknown(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {"x_before": [1, {"deep": None}], **{name: with_unknown(member) for name, member in value.items()},
            "x_after": "unheard of"}


WRONG = {"object": [7, "text"], "array": [{}, "text"], "string": [7, ["text"]], "integer": ["7", 1.5]}


def violations(schema, value, pointer=""):
    """Pointers, and the value with what is there made wrong: required members only."""
    if schema["type"] == "array":
        if schema.get("minItems"):
            yield pointer, []
        for element, wrong in ((i, w) for i in range(len(value)) for w in violations(schema["items"], value[i])):
            yield f"{pointer}/{element}{wrong[0]}", value[:element] + [wrong[1]] + value[element + 1:]
        return
    if schema["type"] != "object":
        return
    for name in schema.get("required", []):
        member, here = schema["properties"][name], f"{pointer}/{name}"
        yield here, {other: value[other] for other in value if other != name}
        below = [member["minimum"] - 1] if "minimum" in member else []
        for wrong in [None, *WRONG[member["type"]], *below]:
            yield here, {**value, name: wrong}
        for where, wrong in violations(member, value[name]):
            yield here + where, {**value, name: wrong}


def examples(folder):
    schemas = load(folder)
    for name in types(schemas):
        schema = schemas[name]
        least = example(schema, False)
        good = [("least", least), ("all", example(schema, True)), ("unknown", with_unknown(example(schema, True))),
                ("widest", widest(schema))]
        for label, value in good:
            yield name, "ok", label, value
        for pointer, value in violations(schema, least):
            yield name, "bad", pointer, value


def print_examples(folder):
    for name, kind, label, value in examples(folder):
        print(name, kind, label, json.dumps(value, separators=(",", ":")), sep="\t")


def verify(folder):
    validators = {name: Draft202012Validator(schema) for name, schema in load(folder).items()}
    for line in sys.stdin:
        name, kind, label, data = line.rstrip("\n").split("\t")
        if name not in validators:
            yield f"{name} has no schema"
        elif validators[name].is_valid(json.loads(data)) != (kind == "ok"):
            yield f"{name} {label} is not {kind}: {data[:100]}"


# ---- what was emitted

def validate(folder):
    validators = {name: Draft202012Validator(schema) for name, schema in load(folder).items()}
    counts = {}
    for line in sys.stdin:
        envelope = json.loads(line)
        name = envelope.get("type")
        counts[name] = counts.get(name, 0) + 1
        faults = [error.message for error in validators["envelope"].iter_errors(envelope)]
        if name not in validators or name == "envelope":
            faults.append("there is no schema of its type")
        else:
            faults += [error.message for error in validators[name].iter_errors(envelope.get("data"))]
        yield from (f"{name} {envelope.get('id')}: {fault}" for fault in faults)
    for name in sorted(counts):
        print("#", name, counts[name])


def main():
    what = {"check": check, "verify": verify, "validate": validate}
    if len(sys.argv) == 3 and sys.argv[1] == "examples":
        print_examples(sys.argv[2])
        return 0
    if len(sys.argv) != 3 or sys.argv[1] not in what:
        sys.exit(__doc__)
    faults = list(what[sys.argv[1]](sys.argv[2]))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


sys.exit(main())
