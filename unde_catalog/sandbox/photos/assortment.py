"""The sample catalogue's 120 invented products, one table per brand.

A row is NAME | cut | pattern[:accent colour] | colours | price in dirhams. A price of 0 or "-" means an unknown price.
`catalogue.py` makes items of rows; cuts belong in `drawing/recipes.py`.
"""

ASSORTMENT: dict[str, str] = {
    "zara": """
        FLUID TAILORED BLAZER | blazer | plain | Black, Camel | 399
        DOUBLE-BREASTED CHECK BLAZER | double blazer | check:Charcoal | Grey | 459
        WOOL BLEND LONG COAT | coat | plain | Camel, Charcoal | 699
        BELTED WATER-REPELLENT TRENCH | trench | plain | Sand | 599
        SATIN SLIP DRESS | slip dress | plain | Emerald, Black | 259
        FLORAL PRINT WRAP DRESS | wrap dress | flowers:Red | Navy | 299
        TIERED POPLIN DRESS | tiered dress | plain | White | 329
        GATHERED MINI DRESS | mini dress | dots:White | Black | 229
        OVERSIZED POPLIN SHIRT | shirt | pinstripes:Blue | White, Sky | 179
        VOLUME SLEEVE BLOUSE | blouse | plain | Butter | 199
        RIBBED SCOOP TANK | tank | rib | White, Burgundy | 69
        SOFT COTTON T-SHIRT | tshirt | plain | White, Black | 59
        CABLE KNIT SWEATER | sweater | cable | Ecru | 229
        HIGH NECK KNIT | turtleneck | rib | Chocolate | 199
        PLEATED WIDE TROUSERS | wide trousers | plain | Black, Sand | 249
        HIGH-RISE STRAIGHT JEANS | jeans | denim | Indigo, Light blue | 199
        BOX PLEAT MIDI SKIRT | pleated skirt | plain | Burgundy | 229
        LEOPARD PRINT SLIP SKIRT | slip skirt | leopard:Chocolate | Sand | 199
        MINIMAL LEATHER TOTE | tote | plain | Black | 349
        SLINGBACK HEELED SHOES | heels | plain | Red | 0
    """,
    "bershka": """
        SUNBURST GRAPHIC T-SHIRT | sun tshirt | plain:Orange | Black | 59
        HEART BABY TEE | heart tshirt | plain:Red | White, Pink | 49
        BOXY WAVE T-SHIRT | wave tshirt | plain:Teal | Ecru | 65
        SQUARE NECK CROP TOP | crop top | plain | Fuchsia, Black | 45
        HALTER RIB TOP | halter | rib | Lilac | 55
        FADED ZIP HOODIE | zip hoodie | plain | Charcoal, Purple | 159
        POUCH POCKET HOODIE | hoodie | plain | Mint | 139
        BARS COLLEGE SWEATSHIRT | sweatshirt | plain:Mustard | Navy | 129
        CROPPED PUFFER JACKET | puffer | plain | Silver, Black | 219
        FAUX LEATHER BIKER JACKET | biker | plain | Black | 249
        NYLON BOMBER JACKET | bomber | plain | Olive | 229
        PARACHUTE CARGO TROUSERS | cargo | plain | Khaki, Grey | 169
        BAGGY SKATE JEANS | wide jeans | denim | Light blue | 179
        LOW RISE DENIM SHORTS | denim shorts | denim | Indigo | 109
        PLEATED CHECK MINI SKIRT | button skirt | check:Red | Charcoal | 119
        SEQUIN PARTY SKIRT | mini skirt | sequins | Gold | 139
        WAVE PRINT CAMI | cami | waves:Orange | Butter | 69
        CHUNKY SOLE TRAINERS | sneakers | plain:Purple | White | 199
        EMBROIDERED CAP | cap | plain:White | Red, Navy | 59
        DRAWSTRING BUCKET BAG | bucket bag | plain | Mint | -
    """,
    "pullandbear": """
        EVERYDAY STRIPED T-SHIRT | tshirt | stripes:Navy | White, Mustard | 49
        BARS PRINT T-SHIRT | bars tshirt | plain:Rust | Sage | 65
        RESORT SHIRT WITH LEAVES | camp shirt | leaves:Emerald | Ecru | 129
        FLANNEL CHECK OVERSHIRT | overshirt | check:Black | Red, Olive | 169
        PIQUE POLO | polo | plain | Navy | 89
        WASHED DENIM JACKET | overshirt | denim | Light blue | 199
        HOODED SWEATSHIRT | hoodie | plain | Grey, Rust | 139
        ARGYLE KNIT VEST | waistcoat | argyle:Burgundy | Sand | 119
        COLOUR BAND SWEATER | sweater | bands:Teal | Ecru | 159
        PUFFER WITH HIGH NECK | puffer | plain | Orange | 249
        TRACK BOMBER | bomber | plain | Emerald | 199
        MULTI-POCKET CARGOS | cargo | plain | Sand, Black | 179
        STANDARD FIT JEANS | jeans | denim | Charcoal | 159
        SPORTY JOGGERS | joggers | plain | Grey | 119
        LINEN BLEND SHORTS | shorts | plain | White, Khaki | 109
        GINGHAM SUN DRESS | sun dress | gingham:Red | White | 149
        CANVAS BACKPACK | backpack | plain | Olive | 159
        RETRO TRAINERS | sneakers | plain:Rust | Ecru | 189
        RIBBED BEANIE | beanie | rib:Mustard | Mustard, Teal | 45
        FLORAL BUCKET HAT | bucket hat | flowers:Fuchsia | Sky | 0
    """,
    "stradivarius": """
        POLKA DOT SHIRT DRESS | shirt dress | dots:White | Burgundy | 199
        DITSY FLOWER MIDI DRESS | tiered dress | flowers:Pink | Sky | 219
        RIBBED KNIT DRESS | knit dress | rib | Black, Camel | 179
        GINGHAM MINI DRESS | mini dress | gingham:Pink | White | 159
        POINTELLE CARDIGAN | cardigan | knit | Butter, Pink | 139
        V-NECK STRIPED JUMPER | v sweater | stripes:Red | Ecru | 129
        ROMANTIC BLOUSE | blouse | flowers:Lilac | White | 119
        CROSSOVER TOP | wrap top | plain | Red, Black | 79
        LINGERIE STYLE TOP | cami | plain | Sand | 65
        SOFT BASIC T-SHIRT | tshirt | plain | Lilac, White | 39
        FITTED TAILORED WAISTCOAT | waistcoat | pinstripes:Silver | Charcoal | 129
        TEXTURED BLAZER | blazer | tweed:Fuchsia | Ecru | 229
        SUEDE EFFECT BIKER | biker | plain | Chocolate | 219
        FLOWING WIDE TROUSERS | wide trousers | plain | Teal | 149
        WIDE LEG JEANS | wide jeans | denim | Indigo, Sky | 159
        TIERED BOHO SKIRT | tiered skirt | leaves:Rust | Ecru | 149
        BUTTONED CORD SKIRT | button skirt | rib | Rust | 119
        FLAP SHOULDER BAG | shoulder bag | plain | Burgundy, Sand | 129
        COWBOY ANKLE BOOTS | boots | plain | Camel | 229
        CHECK BLANKET SCARF | scarf | check:Blue | Sky | -
    """,
    "massimodutti": """
        WOOL DOUBLE-BREASTED COAT | coat | plain | Navy, Camel | 1290
        HOUNDSTOOTH BLAZER | blazer | houndstooth:Black | Ecru | 890
        PINSTRIPE SUIT BLAZER | double blazer | pinstripes:Silver | Navy | 950
        COTTON TRENCH COAT | trench | plain | Khaki | 1150
        CASHMERE BLEND SWEATER | sweater | plain | Grey, Camel | 590
        MERINO TURTLENECK | turtleneck | plain | Burgundy, Black | 390
        CABLE KNIT CARDIGAN | cardigan | cable | Navy | 490
        ARGYLE WOOL JUMPER | v sweater | argyle:Sage | Charcoal | 450
        OXFORD COTTON SHIRT | shirt | plain | Sky, White | 299
        STRIPED LINEN SHIRT | shirt | stripes:Sage | White | 329
        SILK BLEND BLOUSE | blouse | plain | Ecru | 420
        DRAPED MAXI DRESS | maxi dress | plain | Olive | 690
        KNITTED MIDI DRESS | knit dress | knit | Sand | 550
        DARTED WOOL TROUSERS | trousers | plain | Charcoal, Sand | 449
        SLIM CHECK TROUSERS | slim trousers | check:Navy | Grey | 420
        SATIN MIDI SKIRT | midi skirt | plain | Gold | 399
        PENCIL SKIRT WITH SLIT | pencil skirt | tweed:Navy | Grey | 379
        LEATHER TOTE BAG | tote | plain | Chocolate, Black | 1190
        LEATHER LOAFERS | loafers | plain | Burgundy | 690
        LEATHER CHELSEA BOOTS | boots | plain | Black | 0
    """,
    "oysho": """
        COMPRESSION LEGGINGS | leggings | plain | Black, Teal | 179
        SCULPT SPORT TOP | sport top | plain | Teal, Black | 119
        SEAMLESS RIB LEGGINGS | leggings | rib | Lilac | 159
        SOFT TOUCH JOGGERS | joggers | plain | Ecru, Charcoal | 159
        RUNNING HOODIE | zip hoodie | plain | Fuchsia | 219
        THERMAL FLEECE SWEATSHIRT | sweatshirt | plain:Sky | White | 189
        YOGA TANK | tank | plain | Sage, Pink | 99
        STRIPED PYJAMA SHIRT | pyjama shirt | pinstripes:Blue | White | 149
        CHECK PYJAMA TROUSERS | joggers | check:Emerald | Red | 139
        FLORAL COTTON ROBE | robe | flowers:Rust | Butter | 199
        WAFFLE ROBE | robe | plain | Sky | 219
        SATIN BRALETTE | bralette | plain | Burgundy, Black | 89
        DOTTED BRALETTE | bralette | dots:Red | White | 79
        RIBBED SWIMSUIT | swimsuit | rib | Emerald | 169
        PRINTED SWIMSUIT | swimsuit | waves:Fuchsia | Orange, Teal | 189
        BEACH SHORTS | shorts | stripes:Navy | White | 99
        CROCHET BEACH DRESS | sun dress | knit | Ecru | 199
        SATIN SLIP NIGHTDRESS | slip dress | plain | Pink | 149
        STUDIO BACKPACK | backpack | plain | Lilac | 189
        TERRY SANDALS | sandals | plain | Pink, Black | -
    """,
}
