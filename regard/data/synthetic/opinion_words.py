"""The words that opinions are made of (see `regard.data.synthetic.opinions`)."""

ASPECTS = {
    words.split()[0]: words.split()
    for words in (
        "film plot ending acting dialogue music camera story cast script lighting finale",
        "hotel room bed breakfast view lobby pool staff shower carpet balcony lift garden",
        "phone screen battery keyboard speaker case menu charger signal lens ringtone",
        "meal soup bread sauce waiter dessert wine table coffee salad menu kitchen terrace",
        "book chapter hero style cover preface index translation villain setting prose",
        "concert piano choir singer encore drummer lyrics solo guitar chorus melody stage",
        "shop window clerk shelf price parcel receipt catalogue bag counter sign delivery",
        "trip train guide map harbour museum bus ferry hike weather beach castle tunnel",
    )
}
"""What each kind of thing consists of, and is judged by."""

ADJECTIVES: dict[int, list[str]] = {
    1: (
        "good great superb lovely charming clever delightful excellent fine wonderful brilliant "
        "splendid graceful pleasant marvellous impressive elegant solid witty fresh generous "
        "memorable reliable radiant thrilling tasteful polished inviting"
    ).split(),
    -1: (
        "bad awful dull poor dreadful clumsy boring terrible bland ugly horrible tedious shabby "
        "careless annoying mediocre sloppy stale gloomy disappointing cheap noisy flimsy "
        "pointless miserable dreary hideous tasteless"
    ).split(),
}
OPINION_VERBS = {
    1: "enjoyed loved admired liked treasured adored praised recommended".split(),
    -1: "hated regretted disliked loathed despised resented cursed detested".split(),
}
BARE_VERBS = {
    1: "enjoy love admire like treasure adore praise recommend".split(),
    -1: "hate regret dislike loathe despise resent curse detest".split(),
}
QUALITIES = {
    1: "charm wit comfort taste care warmth skill depth style beauty patience magic".split(),
    -1: "dirt noise waste trouble nonsense boredom mess confusion delay chaos rust mould".split(),
}
"""1 praises, -1 blames."""

DEGREES = "very quite really rather truly so somewhat thoroughly unusually remarkably".split()
NEGATIONS = ("not", "never", "hardly", "scarcely", "anything but", "by no means", "far from")
OPENINGS = (
    "to be honest ,",
    "all in all ,",
    "in the end ,",
    "i must say ,",
    "for what it is worth ,",
    "this time ,",
    "as far as i can tell ,",
    "looking back ,",
)
CLOSINGS = (
    "on our second visit",
    "from start to finish",
    "this spring",
    "when we were there",
    "on a rainy monday",
    "for a whole week",
    "at first sight",
    "according to my notes",
)
ACQUAINTANCES = (
    "neighbour aunt colleague brother teacher dentist cousin boss landlord doctor".split()
)
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
FACTS = (
    "we had the {aspect} for {number} days",
    "the {aspect} came on a {day}",
    "my {person} paid for the {aspect}",
    "it was about {number} in the afternoon",
    "there were {number} of us and my {person}",
    "the {aspect} was next to the {other}",
    "i read about the {aspect} on {day}",
    "my {person} asked about the {aspect} and the {other}",
    "last {day} we talked about the {other}",
    "the {aspect} and the {other} were new in {number} places",
)
HEARSAY = (
    "my {person} had told us that the {aspect} was {adjective}",
    "according to my {person} the {other} would be {adjective}",
    "we had expected a {adjective} {aspect}",
    "the advertisement promised a {adjective} {aspect}",
)
"""What others say decides nothing."""
NUMBER_WORDS = "two three four five six seven eight nine ten eleven twelve".split()
