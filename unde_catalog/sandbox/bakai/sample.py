"""The 40 invented products of BakaiMarket, as one table.

A row is NAME | category (-: none) | cut | pattern[:accent colour] | colour | price in som. `catalogue.py` makes
products of rows; cuts belong in `photos/drawing/`.
"""

from dataclasses import dataclass
from functools import cache

_TABLE = """
    Smartphone Ala 5, 128 GB | electronics | phone | plain:Sky | Charcoal | 18990.00
    Smartphone Ala 5 Mini | electronics | phone | plain:Orange | Navy | 14490.00
    Smartphone Too Lite | electronics | phone | plain:Mint | Red | 8999.00
    Over-ear headphones Komuz | electronics | headphones | plain:Grey | White | 3450.00
    Over-ear headphones Komuz Bass | electronics | headphones | plain:Red | Black | 4120.50
    Bookshelf speaker Dobul | electronics | speaker | plain:Silver | Black | 6700.00
    Party speaker Dobul XL | electronics | speaker | plain:Gold | Burgundy | 11250.00
    Cotton T-shirt | clothing | tshirt | plain | Sky | 690.00
    Striped T-shirt | clothing | tshirt | stripes:Navy | White | 750.00
    Zip hoodie | clothing | zip hoodie | plain | Emerald | 2190.00
    Down jacket with a high neck | clothing | puffer | plain | Orange | 5990.00
    Check shirt | clothing | overshirt | check:Black | Red | 1490.00
    Straight jeans | clothing | jeans | denim | Indigo | 2350.00
    Pleated midi skirt | clothing | pleated skirt | plain | Burgundy | 1890.00
    Summer dress with flowers | clothing | sun dress | flowers:Red | Butter | 2090.00
    Wool coat | clothing | coat | plain | Camel | 8750.00
    Cable knit sweater | clothing | sweater | cable | Ecru | 1990.00
    Argyle waistcoat | clothing | waistcoat | argyle:Teal | Sand | 1390.00
    Trainers for every day | shoes | sneakers | plain:Teal | White | 3200.00
    Trainers Issyk Run | shoes | sneakers | plain:Orange | Navy | 4650.00
    Leather ankle boots | shoes | boots | plain | Chocolate | 6150.00
    Heeled shoes | shoes | heels | plain | Red | 3890.00
    Loafers | shoes | loafers | plain | Black | 3490.00
    Terry sandals | shoes | sandals | plain | Pink | 990.00
    Canvas backpack | bags | backpack | plain | Olive | 1850.00
    Shopper | bags | tote | plain | Camel | 2400.00
    Shoulder bag with a flap | bags | shoulder bag | plain | Fuchsia | 2150.00
    Bucket bag | bags | bucket bag | plain | Mint | 1950.00
    School backpack | bags | backpack | plain | Blue | 2250.00
    Table lamp | home | lamp | plain:Black | Mustard | 1290.00
    Bedside lamp | home | lamp | plain:Gold | White | 990.00
    Reading lamp | home | lamp | stripes:Red | Ecru | 1150.00
    Tea mug | home | mug | plain:Red | Sky | 290.00
    Mug with a dot | home | mug | plain:Mustard | Teal | 310.00
    Large soup mug | home | mug | plain:White | Rust | 420.00
    Gingham cushion | home | cushion | gingham:Red | White | 640.00
    Knitted cushion | home | cushion | knit | Lilac | 720.00
    Warm scarf | - | scarf | check:Blue | Sky | 850.00
    Knitted hat | - | beanie | rib:Mustard | Mustard | 490.00
    Cap | - | cap | plain:White | Navy | 450.00
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table. An empty category means none; the price is in som."""

    name: str
    category: str
    cut: str
    pattern: str
    accent: str
    colour: str
    price: str


@cache
def rows() -> tuple[Row, ...]:
    """Returns all 40 rows."""
    return tuple(_row(line) for line in _TABLE.strip().splitlines())


def _row(line: str) -> Row:
    name, category, cut, fabric, colour, price = (field.strip() for field in line.split("|"))
    pattern, _, accent = fabric.partition(":")
    return Row(name, "" if category == "-" else category, cut, pattern, accent or "White", colour, price)
