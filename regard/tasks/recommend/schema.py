"""The schema of this task: who chose what, and when."""

from regard.data.schema import ByTask, Column, ColumnKind, Schema

USERS = """
    user_id userid user_name username customer customer_id client visitor visitorid session
    session_id reviewer reviewerid member buyer shopper reader listener nutzer kunde benutzer
    utilisateur usuario cliente 用户 用户id order_id orderid transaction_id tid basket_id invoice_no
    invoiceno bill_no billno
"""
ITEMS = """
    item_id itemid aid items movie_id movieid product_id asin track_id book_id product movie film
    book itemname itemdescription track song artist isbn sku stock_code stockcode article app game
    course business venue artikel produkt produit producto artículo 商品 商品id 物品
"""
RATINGS = "ratings stars overall score bewertung note puntuación 评分"
TIMES = """
    time unix_time unixreviewtime date datetime created_at event_time invoice_date datum fecha
    zeit 时间
"""

SCHEMA = Schema(
    "recommend",
    (
        Column("user", tuple(USERS.split()), ColumnKind.NAME),
        Column("item", tuple(ITEMS.split()), ColumnKind.NAME),
        Column("rating", tuple(RATINGS.split()), ColumnKind.NUMBER, optional=True),
        Column("timestamp", tuple(TIMES.split()), ColumnKind.TIME, optional=True, option="time"),
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
