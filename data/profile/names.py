"""Hints in the name of a column: a code, an amount, an identifier, a person, a time, an end.

A name decides nothing alone. Called by `data.profile.kinds`. Standard library only.
"""

import re

_CODES = {
    "zip", "zipcode", "postal", "postcode", "postalcode", "plz", "code", "codes", "type", "class",
    "klass", "grade", "category", "cat", "group", "region", "area", "district", "zone", "status",
    "kind", "segment", "sector", "branch", "store", "shop", "dept", "department", "gender", "sex",
    "level", "tier", "channel", "model", "brand", "make", "state", "country", "city", "county",
    "weekday", "dow", "month", "quarter", "season", "hour", "cluster", "label", "flag", "race",
    "ward", "route", "line", "plan", "product", "industry", "occupation", "education", "marital",
    "religion", "color", "colour", "pclass", "cp", "thal", "art", "typ", "klasse", "gruppe",
    "kategorie", "filiale", "bundesland", "origin", "dest", "destination", "carrier", "vendor",
    "township", "precinct", "tariff", "tarif", "sku",
}  # fmt: skip
_AMOUNTS = {
    "count", "counts", "cnt", "num", "number", "nr", "n", "age", "alter", "size", "amount", "price",
    "total", "sum", "years", "year", "days", "months", "hours", "minutes", "seconds", "weeks",
    "quantity", "qty", "score", "rate", "ratio", "percent", "pct", "tenure", "income", "salary",
    "balance", "rooms", "bedrooms", "bathrooms", "children", "kids", "visits", "calls", "clicks",
    "weight", "height", "width", "length", "depth", "temp", "temperature", "distance", "miles",
    "km", "speed", "duration", "cost", "fee", "tax", "value", "mean", "avg", "average", "min",
    "max", "std", "points", "rating", "stars", "rank", "orders", "items", "sales", "revenue",
    "profit", "discount", "population", "pixel", "px", "area_m2", "sqft", "m2", "power", "voltage",
    "current", "pressure", "humidity", "wind", "bp", "bmi", "dose", "floors", "doors", "cylinders",
    "horsepower", "mpg", "siblings", "sibsp", "parch", "members", "persons", "people", "preis",
    "anzahl", "menge", "betrag", "gewicht", "tickets", "complaints", "logins", "views", "usage",
    "load", "load_kw", "kwh", "credit", "debt", "claims", "employees", "square",
}  # fmt: skip
_IDS = {"id", "ids", "uuid", "guid", "key", "pk", "hash", "serial", "sn", "index", "idx", "rowid"}
_ID_NUMBERS = {"no", "nr", "num", "number", "nummer", "ref", "reference"}
_NUMBERED = {
    "account", "customer", "client", "order", "invoice", "policy", "contract", "ticket", "record",
    "row", "case", "patient", "user", "member", "transaction", "booking", "kunden", "konto",
    "vertrag", "rechnungs", "serial", "card", "passport", "employee", "student", "loan",
}  # fmt: skip
_TIMES = {
    "time", "date", "datetime", "timestamp", "ts", "day", "at", "on", "datum", "zeit", "since",
    "created", "updated", "start", "end", "when", "dt", "epoch", "dob",
}  # fmt: skip
_PERSONAL = {
    "ssn": "social security numbers", "iban": "account numbers", "passport": "passport numbers",
    "dob": "dates of birth", "birthdate": "dates of birth", "birthday": "dates of birth",
    "geburtsdatum": "dates of birth", "email": "e-mail addresses", "phone": "telephone numbers",
    "mobile": "telephone numbers", "telefon": "telephone numbers", "address": "addresses",
    "adresse": "addresses", "surname": "names", "nachname": "names", "vorname": "names",
    "firstname": "names", "lastname": "names", "fullname": "names", "username": "names",
    "street": "addresses", "strasse": "addresses",
}  # fmt: skip
_THINGS = {
    "product", "store", "company", "shop", "file", "city", "country", "brand", "model", "item",
    "category", "event", "team", "school", "airport", "station", "plan", "column", "class",
    "street", "hotel", "campaign", "department", "region", "state", "carrier", "host",
}  # fmt: skip
_AFTER = {
    "churned", "cancelled", "canceled", "cancellation", "cancel", "closed", "closure",
    "outcome", "resolution", "resolved", "refund", "refunded", "refunds", "chargeback", "settled",
    "settlement", "returned", "discharge", "discharged", "death", "died", "terminated",
    "termination", "exited", "final", "recovery", "recoveries", "repaid", "writeoff",
    "followup", "kuendigung", "gekuendigt", "deactivated", "deactivation",
    "offboarding", "offboarded", "winback",
}  # fmt: skip
_LABELS = {
    "label", "target", "y", "class", "outcome", "response", "churn", "churned", "default",
    "defaulted", "survived", "fraud", "is_fraud", "converted", "clicked", "bought", "purchased",
    "diagnosis", "result", "species", "quality", "price", "grade", "ziel", "cancelled", "click",
}  # fmt: skip


def words_of(name: str) -> list[str]:
    """The words of a name, in lower case: `customerID` and `Customer-Id` as `customer`, `id`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.findall(r"[^\W_]+", split.casefold())


def stem_of(name: str) -> str:
    """A name without its digits: columns that share it are one family."""
    return re.sub(r"\d+", "", name)


def sounds_like_code(name: str) -> bool:
    """Whether the name suggests a code rather than a number."""
    words = words_of(name)
    if not words or (set(words) & _AMOUNTS and words[-1] not in _CODES):
        return False
    if words[:2] == ["day", "of"] or name.casefold().endswith("_cd"):
        return True
    return bool(set(words) & _CODES) and words[-1] not in _AMOUNTS


def sounds_like_amount(name: str) -> bool:
    """Whether the name suggests an amount."""
    words = words_of(name)
    return bool(words) and bool(set(words) & _AMOUNTS) and not sounds_like_code(name)


def sounds_like_id(name: str) -> bool:
    """Whether the name suggests an identifier of rows or things."""
    words = words_of(name)
    if not words:
        return False
    numbered = len(words) > 1 and words[-1] in _ID_NUMBERS and words[-2] in _NUMBERED
    return numbered or words[-1] in _IDS or words[0] in {"id", "uuid", "guid"} or (
        len(words) == 1 and words[0].endswith(("id", "nummer")) and words[0] not in _NO_IDS
    )  # fmt: skip


_NO_IDS = {
    "paid",
    "valid",
    "acid",
    "fluid",
    "grid",
    "humid",
    "void",
    "avid",
    "rapid",
    "solid",
    "bid",
}


def sounds_like_time(name: str) -> bool:
    """Whether the name suggests a time."""
    words = words_of(name)
    return bool(words) and (bool({words[-1], words[0]} & _TIMES)) and not (set(words) & _AMOUNTS)


def sounds_personal(name: str) -> str | None:
    """The personal data that the name of a column suggests; None without a suggestion."""
    words = words_of(name)
    if {"ip", "mac"} & set(words) and "address" in words:
        return "addresses of devices"
    if words[:3] == ["date", "of", "birth"] or words[:2] == ["birth", "date"]:
        return "dates of birth"
    for word in words:
        if word in _PERSONAL:
            return _PERSONAL[word]
    return "e-mail addresses" if words[:2] == ["e", "mail"] else None


def names_a_thing(name: str) -> bool:
    """Whether `…_name` is the name of a thing, not of a person."""
    return bool(set(words_of(name)) & _THINGS)


def sounds_afterwards(name: str) -> str | None:
    """The word in a name that suggests a value that is known only afterwards."""
    return next((word for word in words_of(name) if word in _AFTER), None)


def sounds_like_label(name: str) -> bool:
    """Whether the name suggests a label."""
    words = words_of(name)
    return name.casefold() in _LABELS or (bool(words) and words[-1] in _LABELS)
