"""What the data of this task looks like: who chose what, and when."""

from regard.data.schema import ByTask, Column, ColumnKind, Schema

SCHEMA = Schema(
    "recommend",
    (
        Column("user", tuple("user_id userid user_name username".split()), ColumnKind.NAME),
        Column(
            "item",
            tuple("item_id itemid movie_id movieid product_id asin track_id book_id".split()),
            ColumnKind.NAME,
        ),
        Column("rating", ("ratings", "stars", "overall"), ColumnKind.NUMBER, optional=True),
        Column(
            "timestamp", ("time", "unix_time", "unixreviewtime"), ColumnKind.TIME, optional=True
        ),
        Column(
            "category",
            tuple("categories genre genres class cate_id brand".split()),
            optional=True,
            extra=True,
        ),
    ),
    hold_out=ByTask("each user's last item is for the test, the one before for validation"),
    streams=False,
    item_file="item",
)
