"""What the shop sells, as data: categories with price and brands, levels of price, and items as functions of their number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from persona_spark.simulate.draws import literals

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from persona_spark.simulate.draws import Draws

LEVELS = ("economy", "standard", "premium", "luxury")
LEVEL_FACTORS = (0.5, 1.0, 3.0, 6.5)
BRANDS_OF_LEVEL = 2
ITEMS_OF_LEVEL = 40


@dataclass(frozen=True)
class Category:
    """A category.

    Attributes:
        name: as in the feeds.
        price: usual price of a standard item.
        brands: eight, two a level from economy to luxury.
        words: what is searched for, in English and Chinese.
    """

    name: str
    price: int
    brands: tuple[str, ...]
    words: tuple[str, str]


CATALOGUE = (
    Category("groceries", 30, ("Daily", "米家田", "Goodgrain", "禾丰", "Terrafarm", "山野集", "Maison Grain", "御田"), ("rice", "大米")),
    Category("household", 38, ("Cleano", "净佳", "Softie", "洁云", "Purelin", "白鹭", "Casa Alba", "雅舍"), ("tissues", "纸巾")),
    Category("food", 42, ("Snackers", "小食光", "Crispo", "味客", "Nutterie", "坚果坊", "Truffe", "珍味斋"), ("nuts", "坚果")),
    Category(
        "baby", 110, ("Bobo", "小树苗", "Littlestep", "贝安", "Tendermilk", "爱婴堂", "Petit Prince", "皇家宝贝"), ("diapers", "纸尿裤")
    ),
    Category("sports", 210, ("Runfast", "跃动", "Peakline", "极峰", "Velocita", "锋行", "Alpinist", "巅峰"), ("running shoes", "跑鞋")),
    Category("fashion", 190, ("Basics", "衣日", "Modella", "千色", "Linea", "云裳", "Atelier N", "锦上"), ("dress", "连衣裙")),
    Category("beauty", 160, ("Dewy", "花漾", "Lumiere", "雪颜", "Botanica", "本草集", "Reine", "瑶光"), ("face cream", "面霜")),
    Category("electronics", 420, ("Zapp", "快充", "Nexel", "星联", "Audiva", "声海", "Opus One", "曜石"), ("headphones", "耳机")),
    Category("home", 260, ("Nook", "简居", "Oakhouse", "木语", "Nordhem", "北屋", "Palazzo", "臻宅"), ("lamp", "台灯")),
    Category("books", 45, ("Paperback", "新知", "Openpage", "大方", "Folio", "三味", "Incunabula", "宝文堂"), ("novel", "小说")),
    Category("pets", 75, ("Paws", "毛球", "Whisk", "萌伴", "Wildpaw", "原野", "Royal Tail", "御宠"), ("cat food", "猫粮")),
    Category("health", 95, ("Vita", "康康", "Balance", "元气", "Naturia", "本源", "Longevia", "鹤寿"), ("vitamins", "维生素")),
)
NAMES = tuple(category.name for category in CATALOGUE)
ITEMS = len(CATALOGUE) * len(LEVELS) * ITEMS_OF_LEVEL


def item_number(category: Column, level: Column, place: Column) -> Column:
    """Number of an item in [0, ITEMS), from its category's and level's numbers and its place among the items of both."""
    row = category * F.lit(len(LEVELS)) + level
    return (row * F.lit(ITEMS_OF_LEVEL) + place).cast("int")


def item_id(number: Column) -> Column:
    """Id of an item as the feeds write it."""
    return F.concat(F.lit("i"), F.lpad(number.cast("string"), 5, "0"))


def category_of(number: Column) -> Column:
    """Number of an item's category."""
    return F.floor(number / F.lit(len(LEVELS) * ITEMS_OF_LEVEL)).cast("int")


def level_of(number: Column) -> Column:
    """Number of an item's level of price."""
    return F.pmod(F.floor(number / F.lit(ITEMS_OF_LEVEL)), F.lit(len(LEVELS))).cast("int")


def price_of(number: Column, draws: Draws) -> Column:
    """List price of an item in cents: the category's price times its level's factor, 25 % up or down."""
    usual = F.get(literals([category.price for category in CATALOGUE]), category_of(number))
    factor = F.get(literals(LEVEL_FACTORS), level_of(number)) * (F.lit(0.75) + draws.uniform("price", number) * F.lit(0.5))
    # Prices end in .90, as shops write them.
    return (F.floor(usual * factor) * F.lit(100) + F.lit(90)).cast("bigint")


def brand_of(number: Column) -> Column:
    """Brand of an item."""
    row = category_of(number) * F.lit(len(LEVELS)) + level_of(number)
    place = row * F.lit(BRANDS_OF_LEVEL) + F.pmod(number, F.lit(BRANDS_OF_LEVEL))
    return F.get(literals([brand for category in CATALOGUE for brand in category.brands]), place.cast("int"))


def items(spark: SparkSession, draws: Draws) -> DataFrame:
    """Every item: item_id, category, brand, name, price (decimal(18,2)), price_level."""
    number = F.col("id").cast("int")
    word = F.get(literals([category.words[1] for category in CATALOGUE]), category_of(number))
    return spark.range(0, ITEMS, 1, 1).select(
        item_id(number).alias("item_id"),
        F.get(literals(NAMES), category_of(number)).alias("category"),
        brand_of(number).alias("brand"),
        F.concat_ws(" ", brand_of(number), word, F.pmod(number, F.lit(ITEMS_OF_LEVEL)).cast("string")).alias("name"),
        (price_of(number, draws).cast("decimal(18,2)") / F.lit(100)).cast("decimal(18,2)").alias("price"),
        F.get(literals(LEVELS), level_of(number)).alias("price_level"),
    )
