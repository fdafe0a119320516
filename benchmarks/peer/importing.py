"""django-import-export imports a table of students; run by the Python of its own environment.

The model has the twelve columns, with the rules that our portal has for them: what is required,
lengths, choices, addresses, dates, numbers that nobody else may have.  ``default`` has all
settings of the library as they are, but for the validation of instances.  ``best`` has those that
make it fast: bulk operations without look-ups of each row, without differences, a write-ahead log
of SQLite; no query is made for uniqueness, which only the database then sees to.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings

#: What SQLite is told where speed counts.
FAST = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-200000;"


def main(configuration: str, what: str, table: str, database: str) -> None:
    """Import a table, or only try it, and say in JSON how long that took."""
    is_best = configuration == "best"
    options = {"init_command": FAST} if is_best else {}
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": database,
                "OPTIONS": options,
            }
        },
        INSTALLED_APPS=["import_export"],
        USE_TZ=True,
    )
    django.setup()
    student = _model()
    resource = (_best if is_best else _default)(student)()
    began = time.perf_counter()
    result = _import(resource, table, dry_run=what == "check")
    seconds = time.perf_counter() - began
    counts = (result.totals["new"], result.totals["error"], result.totals["invalid"])
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak": _peak_memory(),
                "new": counts[0],
                "failed": sum(counts[1:]),
                "there": student.objects.count(),
            }
        )
    )


def _import(resource: Any, table: str, *, dry_run: bool) -> Any:
    from tablib import Dataset

    with open(table, encoding="utf-8", newline="") as stream:
        dataset = Dataset().load(stream, format="csv")
    return resource.import_data(dataset, dry_run=dry_run)


def _model() -> Any:
    """Return the model of students, whose table is made."""
    from django.core.validators import RegexValidator
    from django.db import connection, models

    class Student(models.Model):
        student_id = models.CharField(
            max_length=32,
            unique=True,
            validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")],
        )
        lastname = models.CharField(max_length=255)
        firstname = models.CharField(max_length=255)
        middlename = models.CharField(max_length=255, blank=True)
        sex = models.CharField(max_length=1, choices=[("m", "male"), ("f", "female")])
        date_of_birth = models.DateField(null=True, blank=True)
        nationality = models.CharField(max_length=255, blank=True)
        email = models.EmailField(blank=True)
        phone = models.CharField(
            max_length=64, blank=True, validators=[RegexValidator(r"^\+?[0-9][0-9 /-]*\Z")]
        )
        perm_address = models.TextField(blank=True)
        reg_number = models.CharField(max_length=64, unique=True)
        matric_number = models.CharField(max_length=64, unique=True)

        class Meta:
            app_label = "import_export"

    with connection.schema_editor() as editor:
        editor.create_model(Student)
    return Student


def _default(student: Any) -> Any:
    """Return the resource that has the library's own settings."""
    from import_export import resources

    class Default(resources.ModelResource):
        class Meta:
            model = student
            exclude = ("id",)
            import_id_fields = ("student_id",)
            clean_model_instances = True

    return Default


def _best(student: Any) -> Any:
    """Return the resource that has the fastest settings."""
    from django.core.exceptions import ValidationError
    from import_export import resources

    class Best(resources.ModelResource):
        class Meta:
            model = student
            exclude = ("id",)
            import_id_fields = ("student_id",)
            clean_model_instances = True
            use_bulk = True
            batch_size = 1000
            force_init_instance = True
            skip_diff = True
            skip_html_diff = True
            use_transactions = True

        def validate_instance(
            self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
        ) -> None:
            errors = dict(import_validation_errors or {})
            try:
                instance.full_clean(
                    exclude=errors.keys(), validate_unique=False, validate_constraints=False
                )
            except ValidationError as error:
                errors = error.update_error_dict(errors)
            if errors:
                raise ValidationError(errors)

    return Best


def _peak_memory() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
