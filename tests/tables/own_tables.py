"""Tables of strangers: scikit-learn's own and twelve shapes, with their columns' kinds by hand.

Each is written as a file of some dialect. `tests/unit/cli/test_init.py` looks at all of them,
`benchmarks/own_data.py` runs them.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

NUMBER, CATEGORY, CODED, BOOLEAN = "number", "category", "coded category", "boolean"
TIME, TEXT, IDENTIFIER, CONSTANT = "time", "text of many values", "identifier", "constant"
PERSONAL, LEAK, AFTERWARDS = "personal", "leak", "known only afterwards"


@dataclasses.dataclass(frozen=True)
class OwnTable:
    """A table, and what is true of it.

    Attributes:
        name: Of the file.
        frame: Its rows.
        label: The column that is predicted.
        task: As it should be found.
        kinds: Column to its kind, by hand; the label is not among them.
        ending: `.csv`, `.csv.gz` or `.parquet`.
        csv: What `to_csv` is told.
        positive: Of two labels the one that means yes, as the settings name it.
    """

    name: str
    frame: pd.DataFrame
    label: str
    task: str
    kinds: dict[str, str]
    ending: str = ".csv"
    csv: dict[str, object] = dataclasses.field(default_factory=dict)
    positive: object = None

    def write(self, folder: Path) -> Path:
        """Writes the file."""
        path = folder / f"{self.name}{self.ending}"
        if self.ending == ".parquet":
            self.frame.to_parquet(path, index=False)
        else:
            self.frame.to_csv(path, index=False, **self.csv)
        return path


def _gaps(frame: pd.DataFrame, column: str, share: float, seed: int, value=np.nan) -> None:
    where = np.random.default_rng(seed).random(len(frame)) < share
    if isinstance(value, str):
        frame[column] = frame[column].astype(object)
    frame.loc[where, column] = value


def breast_cancer() -> OwnTable:
    """Semicolons and decimal commas, an id, a leak, a constant, classes in words."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    frame = pd.DataFrame(data.data, columns=data.feature_names)
    kinds = dict.fromkeys(frame.columns, NUMBER)
    random = np.random.default_rng(1)
    frame.insert(0, "patient_id", random.permutation(np.arange(100_000, 100_000 + len(frame))))
    frame["hospital"] = "Nordklinik"
    frame["malignancy index"] = (1 - data.target) * 4.0 + random.normal(0, 0.1, len(frame))
    frame["diagnosis"] = np.where(data.target == 0, "malignant", "benign")
    for i, column in enumerate(("mean radius", "worst area")):
        _gaps(frame, column, 0.05, i)
    kinds |= {"patient_id": IDENTIFIER, "hospital": CONSTANT, "malignancy index": LEAK}
    csv = {"sep": ";", "decimal": ","}
    return OwnTable("breast-cancer", frame, "diagnosis", "binary", kinds, csv=csv,
                    positive="malignant")  # fmt: skip


def wine() -> OwnTable:
    """Commas, a question mark for gaps, a date, a coded cellar, classes as 1, 2, 3."""
    from sklearn.datasets import load_wine

    data = load_wine()
    frame = pd.DataFrame(data.data, columns=data.feature_names)
    kinds = dict.fromkeys(frame.columns, NUMBER)
    random = np.random.default_rng(2)
    frame["cellar_code"] = random.choice([11, 12, 47, 80], len(frame))
    frame["tasted"] = pd.Timestamp("2021-03-01") + pd.to_timedelta(np.arange(len(frame)), "D")
    frame["tasted"] = frame["tasted"].dt.strftime("%d.%m.%Y")
    frame["cultivar"] = data.target + 1
    for i, column in enumerate(("hue", "magnesium")):
        _gaps(frame, column, 0.06, i + 5, "?")
    kinds |= {"cellar_code": CODED, "tasted": TIME}
    return OwnTable("wine", frame, "cultivar", "multiclass", kinds)


def iris() -> OwnTable:
    """Tabs and Latin-1, classes in words with an umlaut, a collector's name."""
    from sklearn.datasets import load_iris

    data = load_iris()
    names = ["Kelchblattlänge", "Kelchblattbreite", "Blütenblattlänge", "Blütenblattbreite"]
    frame = pd.DataFrame(data.data, columns=names)
    kinds = dict.fromkeys(names, NUMBER)
    random = np.random.default_rng(3)
    frame["Finder"] = random.choice(["Jürgen", "Zoë", "Ann"], len(frame))
    frame["Art"] = np.array(["Borsten-Iris", "Schiller-Iris", "Südliche Iris"])[data.target]
    kinds["Finder"] = CATEGORY
    csv = {"sep": "\t", "encoding": "latin-1"}
    return OwnTable("iris", frame, "Art", "multiclass", kinds, csv=csv)


def diabetes() -> OwnTable:
    """A number to predict; sex as 1 and 2, -999 for gaps, a record number."""
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    frame = pd.DataFrame(data.data, columns=data.feature_names)
    kinds = dict.fromkeys(frame.columns, NUMBER)
    frame["sex"] = frame["sex"].astype(int)
    frame["record_no"] = np.arange(1, len(frame) + 1)
    frame["progression"] = data.target.astype(int)
    for i, column in enumerate(("bmi", "s5")):
        _gaps(frame, column, 0.04, i + 9, -999)
    kinds |= {"sex": CODED, "record_no": IDENTIFIER}
    return OwnTable("diabetes", frame, "progression", "regression", kinds)


def digits() -> OwnTable:
    """Sixty-four pixels from 0 to 16, packed; ten classes in words."""
    from sklearn.datasets import load_digits

    data = load_digits()
    frame = pd.DataFrame(data.data.astype(int), columns=data.feature_names)
    kinds = {
        name: CONSTANT if frame[name].nunique() == 1 else NUMBER for name in data.feature_names
    }
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    frame["digit"] = np.array(words)[data.target]
    return OwnTable("digits", frame, "digit", "multiclass", kinds, ".csv.gz")


def _chance(logit: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.random(len(logit)) < 1 / (1 + np.exp(-logit))


def churn() -> OwnTable:
    """Churn: ids, mail, telephone, zip codes with zeros, a date that only churn has, a copy."""
    random, n = np.random.default_rng(11), 3_000
    tenure, calls = random.integers(0, 72, n), random.poisson(2, n)
    plan = random.choice(["basic", "plus", "pro"], n, p=[0.5, 0.3, 0.2])
    charge = np.round(random.gamma(3, 20, n), 2)
    logit = -0.6 - 0.04 * tenure + 0.9 * (plan == "basic") + 0.4 * calls + 0.01 * (charge - 60)
    left = _chance(logit, random)
    frame = pd.DataFrame(
        {
            "customer_id": [f"C{i:06d}" for i in random.permutation(n)],
            "e_mail": [f"user{i}@example.org" for i in range(n)],
            "phone": [f"+49 30 {i:07d}" for i in range(n)],
            "zip": [f"{z:05d}" for z in random.choice([1067, 8056, 10115, 20095, 50667], n)],
            "tenure_months": tenure,
            "plan": plan,
            "support_calls": calls,
            "monthly_charge": charge,
            "paperless": random.choice(["yes", "no"], n),
            "signup_date": (
                pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, n), "D")
            ).strftime("%Y-%m-%d"),
            "cancel_reason": np.where(
                left & (random.random(n) < 0.9), random.choice(["price", "moved"], n), ""
            ),
            "account_state": np.where(left, "inactive", "active"),
            "churned": np.where(left, "yes", "no"),
        }
    )
    _gaps(frame, "monthly_charge", 0.05, 1, "n/a")
    kinds = {
        "customer_id": IDENTIFIER, "e_mail": PERSONAL, "phone": PERSONAL, "zip": CODED,
        "tenure_months": NUMBER, "plan": CATEGORY, "support_calls": NUMBER,
        "monthly_charge": NUMBER, "paperless": BOOLEAN, "signup_date": TIME,
        "cancel_reason": AFTERWARDS, "account_state": LEAK,
    }  # fmt: skip
    return OwnTable("churn", frame, "churned", "binary", kinds, positive="yes")


def second_week(frame: pd.DataFrame) -> pd.DataFrame:
    """What comes a week after `churn`: another plan, and more calls."""
    newer = frame.sample(frac=2 / 3, random_state=1)
    newer["plan"] = newer["plan"].replace("pro", "max")
    newer["support_calls"] += 1
    return newer


def write_churn(folder: Path, rows: int | None = None) -> None:
    """Writes churn.csv and churn-week-2.csv, the files of docs/own-data.md.

    Args:
        folder: Where.
        rows: The first rows of the table; None: all 3,000.
    """
    table = churn()
    few = dataclasses.replace(table, frame=table.frame[:rows])
    few.write(folder)
    second_week(few.frame).to_csv(folder / "churn-week-2.csv", index=False)


def housing() -> OwnTable:
    """Prices with a long tail, districts as numbers, years, a listing text."""
    random, n = np.random.default_rng(12), 2_500
    area, rooms = np.round(random.gamma(6, 15, n) + 20, 1), random.integers(1, 8, n)
    district, year = random.choice([3, 7, 12, 25, 60], n), random.integers(1900, 2024, n)
    base = {3: 1.0, 7: 1.6, 12: 0.7, 25: 1.2, 60: 2.0}
    factor = np.array([base[d] for d in district])
    price = np.round(area * 3000 * factor * np.exp(random.normal(0, 0.15, n)), -2).astype(int)
    words = np.array(["bright", "quiet", "new", "garden", "balcony", "view", "central", "old"])
    frame = pd.DataFrame(
        {
            "listing_id": random.permutation(n) + 5000,
            "living_area_m2": area,
            "rooms": rooms,
            "district": district,
            "year_built": year,
            "has_garage": random.integers(0, 2, n),
            "description": [" ".join(random.choice(words, 5)) for _ in range(n)],
            "price": price,
        }
    )
    kinds = {
        "listing_id": IDENTIFIER, "living_area_m2": NUMBER, "rooms": NUMBER, "district": CODED,
        "year_built": NUMBER, "has_garage": BOOLEAN, "description": TEXT,
    }  # fmt: skip
    return OwnTable("housing", frame, "price", "regression", kinds, csv={"sep": "|"})


def fraud() -> OwnTable:
    """Rare fraud, in Parquet: times, booleans, merchants as numbers."""
    random, n = np.random.default_rng(13), 6_000
    amount, merchant = np.round(random.lognormal(3, 1, n), 2), random.integers(1, 40, n)
    abroad, hour = random.random(n) < 0.1, random.integers(0, 24, n)
    logit = (
        -5.2 + 0.6 * np.log(amount) + 2.0 * abroad + 1.2 * (hour < 5) + 0.8 * (merchant % 7 == 0)
    )
    frame = pd.DataFrame(
        {
            "booked_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n) * 300, "s"),
            "amount": amount,
            "merchant_id": merchant,
            "abroad": abroad,
            "hour": hour,
            "currency": random.choice(["EUR", "USD", "CHF"], n),
            "is_fraud": _chance(logit, random).astype(int),
        }
    )
    kinds = {
        "booked_at": TIME, "amount": NUMBER, "merchant_id": CODED, "abroad": BOOLEAN,
        "hour": CODED, "currency": CATEGORY,
    }  # fmt: skip
    return OwnTable("fraud", frame, "is_fraud", "binary", kinds, ".parquet", positive=1)


def credit() -> OwnTable:
    """Credit in German: labels 1 and 2, codes, decimal commas, thousands of values."""
    random, n = np.random.default_rng(14), 2_000
    amount, months = random.integers(250, 18_000, n), random.integers(4, 72, n)
    purpose, age = random.choice([40, 41, 43, 46, 49], n), random.integers(19, 75, n)
    rate = np.round(random.uniform(0.5, 12, n), 2)
    logit = -3.6 + 0.0001 * amount + 0.03 * months - 0.015 * age + 0.15 * rate + (purpose == 46)
    frame = pd.DataFrame(
        {
            "vertrag_nr": random.permutation(n) + 10_000,
            "betrag": amount,
            "laufzeit_monate": months,
            "zweck_code": purpose,
            "alter": age,
            "zinssatz": rate,
            "beruf": random.choice(["Angestellter", "Arbeiter", "Beamter", "Selbständig"], n),
            "ausfall": np.where(_chance(logit, random), 2, 1),
        }
    )
    kinds = {
        "vertrag_nr": IDENTIFIER, "betrag": NUMBER, "laufzeit_monate": NUMBER,
        "zweck_code": CODED, "alter": NUMBER, "zinssatz": NUMBER, "beruf": CATEGORY,
    }  # fmt: skip
    csv = {"sep": ";", "decimal": ",", "encoding": "cp1252"}
    return OwnTable("credit", frame, "ausfall", "binary", kinds, csv=csv, positive=2)


def flights() -> OwnTable:
    """Delays in minutes, negative ones too: carriers, weekdays, epoch seconds."""
    random, n = np.random.default_rng(15), 3_000
    day, distance = random.integers(1, 8, n), random.integers(100, 3000, n)
    carrier = random.choice(["AA", "DL", "UA", "WN", "NA", "B6"], n)
    late = {"AA": 4, "DL": -3, "UA": 8, "WN": 2, "NA": 15, "B6": 0}
    wind = np.round(random.gamma(2, 5, n), 1)
    delay = [late[c] for c in carrier] + 0.9 * wind + 3 * (day >= 6) + random.normal(0, 5, n)
    frame = pd.DataFrame(
        {
            "departure_time": 1_700_000_000 + random.integers(0, 30_000_000, n),
            "carrier": carrier,
            "day_of_week": day,
            "distance": distance,
            "wind": wind,
            "delay_minutes": np.round(delay, 1),
        }
    )
    kinds = {
        "departure_time": TIME, "carrier": CATEGORY, "day_of_week": CODED, "distance": NUMBER,
        "wind": NUMBER,
    }  # fmt: skip
    return OwnTable("flights", frame, "delay_minutes", "regression", kinds)


def tickets() -> OwnTable:
    """Five classes in words: a subject, priorities, an agent of few."""
    random, n = np.random.default_rng(16), 2_500
    topic = random.integers(0, 5, n)
    length = np.round(random.gamma(3, 30, n) + 40 * topic).astype(int)
    channel = np.array(["mail", "web", "phone"])[(topic + (random.random(n) < 0.3)) % 3]
    product = np.array(["alpha", "beta", "gamma", "delta"])[
        (topic + random.choice([0, 0, 0, 1], n)) % 4
    ]
    frame = pd.DataFrame(
        {
            "ticket": [f"T-{i:05d}" for i in range(n)],
            "opened": (
                pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(n) * 53, "min")
            ).strftime("%Y-%m-%dT%H:%M:%S"),
            "channel": channel,
            "product": product,
            "priority_level": random.integers(1, 5, n),
            "agent_id": random.integers(100, 130, n),
            "length": length,
            "topic": np.array(["billing", "login", "outage", "order", "other"])[topic],
        }
    )
    kinds = {
        "ticket": IDENTIFIER, "opened": TIME, "channel": CATEGORY, "product": CATEGORY,
        "priority_level": CODED, "agent_id": CODED, "length": NUMBER,
    }  # fmt: skip
    return OwnTable("tickets", frame, "topic", "multiclass", kinds)


def sensors() -> OwnTable:
    """Twenty sensors, sentinels of 9999, a wide table of fractions."""
    random, n = np.random.default_rng(17), 2_000
    values = np.round(random.normal(20, 5, (n, 20)), 3)
    frame = pd.DataFrame(values, columns=[f"sensor_{i:02d}" for i in range(20)])
    failed = _chance(values[:, 0] - 20 + 0.5 * (values[:, 3] - 20) - 1, random)
    frame["machine_type"] = random.integers(1, 6, n)
    frame["failed"] = np.where(failed, "True", "False")
    for i in range(0, 20, 6):
        _gaps(frame, f"sensor_{i:02d}", 0.03, i, 9999)
    kinds = dict.fromkeys(frame.columns[:20], NUMBER) | {"machine_type": CODED}
    return OwnTable("sensors", frame, "failed", "binary", kinds, positive="True")


def survey() -> OwnTable:
    """Answers from 1 to 5 as codes, blanks, a country's code, a label with gaps."""
    random, n = np.random.default_rng(18), 1_800
    answers = random.integers(1, 6, (n, 4))
    income = np.round(random.lognormal(10, 0.5, n)).astype(int)
    country = random.choice(["DE", "FR", "NA", "IT", "ES", "PL", "AT"], n)
    logit = (answers[:, 0] == 5) * 1.5 + (answers[:, 1] == 2) * 1.2 - 1.0 + (country == "NA") * 1.5
    buys = _chance(logit, random)
    frame = pd.DataFrame(
        {
            "respondent": random.permutation(n),
            "satisfaction_level": answers[:, 0],
            "reason_code": answers[:, 1],
            "household_size": answers[:, 2],
            "age_group": answers[:, 3],
            "income": income,
            "country": country,
            "buys": np.where(buys, "ja", "nein"),
        }
    )
    _gaps(frame, "income", 0.08, 3, " ")
    _gaps(frame, "buys", 0.03, 4)
    kinds = {
        "respondent": IDENTIFIER, "satisfaction_level": CODED, "reason_code": CODED,
        "household_size": NUMBER, "age_group": CODED, "income": NUMBER, "country": CATEGORY,
    }  # fmt: skip
    return OwnTable("survey", frame, "buys", "binary", kinds, positive="ja")


def energy() -> OwnTable:
    """Load by the hour, Parquet with whole numbers that have gaps."""
    random, n = np.random.default_rng(19), 4_000
    hour, temp = np.arange(n) % 24, np.round(random.normal(12, 8, n), 1)
    tariff = random.choice([1.0, 2.0, 3.0], n)
    load = 300 + 80 * np.sin(hour / 24 * 6.28) - 4 * temp + 30 * tariff + random.normal(0, 15, n)
    frame = pd.DataFrame(
        {
            "time": pd.Timestamp("2022-01-01") + pd.to_timedelta(np.arange(n), "h"),
            "hour": hour,
            "temperature": temp,
            "tariff_code": np.where(random.random(n) < 0.04, np.nan, tariff),
            "holiday": random.random(n) < 0.05,
            "empty": np.full(n, np.nan),
            "load_kw": np.round(load, 2),
        }
    )
    kinds = {
        "time": TIME, "hour": CODED, "temperature": NUMBER, "tariff_code": CODED,
        "holiday": BOOLEAN, "empty": CONSTANT,
    }  # fmt: skip
    return OwnTable("energy", frame, "load_kw", "regression", kinds, ".parquet")


def students() -> OwnTable:
    """Grades 1, 2, 3 to predict; names, birthdays, classes; semicolons."""
    random, n = np.random.default_rng(20), 1_500
    hours, school = np.round(random.gamma(3, 2, n), 1), random.choice([101, 204, 350, 777], n)
    score = hours + 2 * (school == 204) + random.normal(0, 1.5, n)
    frame = pd.DataFrame(
        {
            "last_name": [f"Name{chr(97 + i % 26)}{i}" for i in range(n)],
            "date_of_birth": (
                pd.Timestamp("2005-01-01") + pd.to_timedelta(random.integers(0, 1500, n), "D")
            ).strftime("%Y-%m-%d"),
            "school_id": school,
            "study_hours": hours,
            "absences_count": random.poisson(3, n),
            "gender": random.choice(["f", "m", "d"], n, p=[0.48, 0.48, 0.04]),
            "final_grade": np.digitize(-score, [-7, -4.5]) + 1,
        }
    )
    kinds = {
        "last_name": PERSONAL, "date_of_birth": PERSONAL, "school_id": CODED,
        "study_hours": NUMBER, "absences_count": NUMBER, "gender": CATEGORY,
    }  # fmt: skip
    return OwnTable("students", frame, "final_grade", "multiclass", kinds, csv={"sep": ";"})


def clicks() -> OwnTable:
    """Clicks, 7 %: many places, devices, a text of many values, a uuid."""
    random, n = np.random.default_rng(21), 8_000
    place, position = random.integers(0, 300, n), random.integers(1, 11, n)
    device = random.choice(["phone", "tablet", "desktop"], n, p=[0.6, 0.1, 0.3])
    logit = -2.2 - 0.2 * position + 0.8 * (device == "phone") + 1.5 * (place % 10 == 0)
    frame = pd.DataFrame(
        {
            "uuid": [f"{random.integers(2**60):016x}-{i:06x}" for i in range(n)],
            "placement": [f"slot{p:03d}" for p in place],
            "position_rank": position,
            "device": device,
            "query_text": [f"{q % 7} word {q}" for q in random.integers(0, 7000, n)],
            "clicked": _chance(logit, random).astype(int),
        }
    )  # fmt: skip
    kinds = {
        "uuid": IDENTIFIER, "placement": CATEGORY, "position_rank": NUMBER, "device": CATEGORY,
        "query_text": TEXT,
    }  # fmt: skip
    return OwnTable("clicks", frame, "clicked", "binary", kinds, ".csv.gz", positive=1)


def rentals() -> OwnTable:
    """Rentals a day: seasons and weekdays as numbers, a station's name, two labels that copy it."""
    random, n = np.random.default_rng(22), 1_400
    day = np.arange(n)
    season, temp = day // 91 % 4 + 1, np.round(15 - 12 * np.cos(day / 365 * 6.28), 1)
    temp = np.round(temp + random.normal(0, 3, n), 1)
    workday = (day % 7 < 5).astype(int)
    count = np.maximum(0, 900 + 120 * temp + 500 * workday + random.normal(0, 250, n)).astype(int)
    frame = pd.DataFrame(
        {
            "dteday": (pd.Timestamp("2019-01-01") + pd.to_timedelta(day, "D")).strftime("%m/%d/%Y"),
            "season": season,
            "weekday": day % 7,
            "workingday": workday,
            "weather_type": random.choice([1, 2, 3], n, p=[0.6, 0.3, 0.1]),
            "temp": temp,
            "humidity": random.integers(20, 100, n),
            "station_name": random.choice(["Hauptbahnhof", "Markt", "Süd"], n),
            "rentals_twice": 2 * count + random.integers(0, 5, n),
            "rentals": count,
        }
    )
    kinds = {
        "dteday": TIME, "season": CODED, "weekday": CODED, "workingday": BOOLEAN,
        "weather_type": CODED, "temp": NUMBER, "humidity": NUMBER, "station_name": CATEGORY,
        "rentals_twice": LEAK,
    }  # fmt: skip
    return OwnTable("rentals", frame, "rentals", "regression", kinds, csv={"encoding": "utf-16"})


MAKERS: tuple[Callable[[], OwnTable], ...] = (
    breast_cancer, wine, iris, diabetes, digits,
    churn, housing, fraud, credit, flights, tickets, sensors, survey, energy, students, clicks,
    rentals,
)  # fmt: skip


@functools.cache
def own_tables() -> dict[str, OwnTable]:
    """All of them, by name."""
    return {table.name: table for table in (make() for make in MAKERS)}


if __name__ == "__main__":
    write_churn(Path())
