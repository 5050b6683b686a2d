"""What the catalogues of the demo are made of: a stock of sentences, names and charges.

All of it was written for Quire, in the manner of a 19th-century college catalogue; the colleges and people are made
up. How it is put together stands in ``catalogue``; how it is set on pages, in ``typeset``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class College:
    """One of the four, and the order of the sections in its catalogue. ``folio``: see ``catalogue.Catalogue``."""

    state: str
    school: str
    year: int
    town: str
    full_name: str
    folio: str
    first_page_number: int
    sections: tuple[str, ...]


COLLEGES = (
    College(
        "CT", "Thornbury", 1849, "Thornbury", "Thornbury College", "head", 5,
        ("officers", "admission", "course", "students", "discipline", "expenses", "library", "calendar", "worship",
         "alumni", "societies", "examinations", "beneficiaries", "household"),
    ),
    College(
        "KY", "Green Hollow Female Institute", 1858, "Green Hollow", "Green Hollow Female Institute", "foot", 3,
        ("calendar", "officers", "household", "course", "music", "expenses", "discipline", "students", "examinations",
         "worship", "library", "alumni", "societies", "admission", "beneficiaries"),
    ),
    College(
        "OH", "Marrow Creek", 1866, "Marrow Creek", "Marrow Creek College", "head", 12,
        ("examinations", "course", "beneficiaries", "alumni", "officers", "library", "admission", "expenses",
         "students", "discipline", "calendar", "societies", "worship", "household"),
    ),
    College(
        "TX", "Peñón Academy", 1871, "Peñón", "Peñón Academy", "foot", 8,
        ("admission", "students", "discipline", "calendar", "household", "expenses", "course", "worship", "officers",
         "alumni", "library", "examinations", "societies", "beneficiaries"),
    ),
)  # fmt: skip

PROSE: dict[str, tuple[str, tuple[str, ...]]] = {
    "admission": (
        "TERMS OF ADMISSION.",
        (
            "Candidates for the Freshman Class are examined in Caesar's Commentaries, six books of the Aeneid, the "
            "Greek Reader, Arithmetic, and Algebra as far as Quadratic Equations.",
            "They must also be acquainted with English Grammar, with the outlines of Geography, ancient and modern, "
            "and with the History of the United States.",
            "No one is admitted to the Freshman Class until he has completed his fourteenth year, nor to an advanced "
            "standing without a proportionate increase of age.",
            "Testimonials of good moral character are in all cases required; and those who come from another college "
            "must produce evidence of honorable dismission.",
            "Every candidate, on being received, gives a bond with sufficient surety for the payment of his bills, "
            "and from that day he is subject to the laws of the Institution.",
            "The stated time for examination is the Tuesday before Commencement; but candidates may also present "
            "themselves on the first day of any term.",
            "Students are earnestly advised to enter at the beginning of the year, since those who come late labor "
            "under a disadvantage which they seldom overcome.",
        ),
    ),
    "discipline": (
        "DISCIPLINE AND CONDUCT.",
        (
            "The government of {name} is intended to be mild and parental, yet firm; and its object is to cultivate in "
            "the student the habit of governing himself.",
            "A record is kept of the attendance, the scholarship, and the deportment of each student, and an abstract "
            "of it is sent to his parent or guardian at the close of every term.",
            "Whoever is absent from recitation without excuse receives two marks; and when the marks of any student "
            "amount to twenty, he is privately admonished by the President.",
            "No student may leave {town} in term time, or be out of his room after nine o'clock in the evening, "
            "without the permission of the officer in charge.",
            "The use of intoxicating drinks, the keeping of fire-arms, playing at cards or dice, and all disorderly "
            "noise in the halls are strictly forbidden.",
            "Damage done to the buildings is charged to him who caused it, if he be known; otherwise it is divided "
            "equally among those who occupy the entry.",
            "Parents are requested not to furnish their sons with money beyond what is necessary, for experience has "
            "shown that idleness and expense commonly go together.",
            "If the presence of a student is found to be injurious to others, he may be removed, although no single "
            "offence can be proved against him.",
        ),
    ),
    "library": (
        "LIBRARY AND CABINETS.",
        (
            "The Library contains about four thousand volumes, to which additions are made every year from the income "
            "of a fund given by the late Judge Pomeroy.",
            "It is open on Wednesday and Saturday afternoons from two o'clock until four, and each student may take "
            "out two volumes at a time.",
            "Books of reference, maps, and engravings are not to be carried from the room on any account.",
            "The Philosophical Apparatus has been enlarged by the purchase of an air-pump, an orrery, a galvanic "
            "battery of fifty plates, and a telescope of four inches aperture.",
            "The Cabinet of Minerals was arranged during the past summer by the Professor of Chemistry, and numbers "
            "upwards of eleven hundred specimens.",
            "Friends of the Institution are invited to send fossils, coins, dried plants, and Indian relics, with a "
            "note of the place in which they were found.",
            "A reading room, supported by the students, is furnished with the principal newspapers and reviews.",
        ),
    ),
    "worship": (
        "PUBLIC WORSHIP.",
        (
            "Prayers are attended in the Chapel every morning and evening, when a portion of Scripture is read and a "
            "hymn is sung.",
            "On the Sabbath all students are required to attend divine service in the forenoon and in the afternoon, "
            "at such church in {town} as their parents may have chosen.",
            "A recitation in the Greek Testament, or in the Evidences of Christianity, is heard on Monday morning by "
            "each of the classes.",
            "The Institution is under the control of no sect, and nothing is taught in it which can give just offence "
            "to any denomination of Christians.",
            "A Society of Inquiry meets on the first Sunday evening of the month, and corresponds with similar bodies "
            "in other places.",
        ),
    ),
    "examinations": (
        "EXAMINATIONS AND EXHIBITIONS.",
        (
            "The classes are examined at the close of each term, in the presence of a Committee appointed by the "
            "Trustees; and no one is advanced who has not sustained this trial to their satisfaction.",
            "Declamations before the whole school take place on Saturday, and compositions are read once in two weeks.",
            "The Junior Exhibition is held on the last Wednesday of March, when twelve of the class are chosen to "
            "speak according to their standing.",
            "Two prizes, of fifteen and of ten dollars, are given for the best dissertations on a subject that is "
            "announced at the opening of the second term.",
            "The degree of Bachelor of Arts is conferred on those who have completed the regular course, paid all dues "
            "to the Treasurer, and returned all books to the Library.",
            "Those who have pursued a partial course receive a certificate, in which the studies that they have "
            "finished are stated.",
            "A graduate of three years' standing, who has in the mean time preserved a good character, may on "
            "application be admitted to the second degree.",
        ),
    ),
    "beneficiaries": (
        "AID TO STUDENTS.",
        (
            "Indigent young men of promise, who design to enter the ministry, are received without charge for tuition.",
            "Fourteen scholarships have been founded by churches and by private persons, and the holder of each is "
            "nominated by the donor.",
            "A student of industry may lessen his expenses by ringing the bell, sweeping the halls, or sawing wood; "
            "and many have taught a district school in the winter vacation.",
            "A loan fund, from which sums of five to thirty dollars are lent without interest, is managed by the "
            "Professor of Mathematics.",
            "It is hoped that the friends of learning will not suffer so useful a work to languish for want of means.",
        ),
    ),
    "household": (
        "BOARDING AND HOUSEHOLD.",
        (
            "All pupils whose parents do not reside in {town} live in the family of the Principal, and are under his "
            "care at all hours of the day.",
            "The house stands upon a rising ground half a mile from the river, and the healthfulness of the situation "
            "is proved by the fact that no death has occurred here in nine years.",
            "Each room is designed for two, and is furnished with a bedstead, a table, a stove, and two chairs; but "
            "pupils provide their own bedding, towels, and lights.",
            "Every article of clothing should be distinctly marked with the name of the owner.",
            "Simplicity of dress is recommended, and jewelry is not to be worn except on public occasions.",
            "Calls are received on Saturday afternoon only, and letters pass through the hands of the Matron.",
            "The rising bell rings at five in summer and at six in winter, and all lights are put out at ten o'clock.",
        ),
    ),
    "music": (
        "MUSIC AND THE ORNAMENTAL BRANCHES.",
        (
            "Instruction upon the Piano Forte and the Guitar is given by a lady who has studied under the best masters "
            "in Philadelphia.",
            "Seven instruments are provided for practice, and each pupil is allowed two hours of the day upon one of "
            "them.",
            "Vocal Music is taught to the whole school without additional charge.",
            "Drawing, Painting in water colors, and Embroidery may be pursued by those who are well advanced in the "
            "solid branches, which are never to be neglected for their sake.",
            "A concert is given at the close of the session, to which parents and friends are cordially invited.",
        ),
    ),
    "societies": (
        "LITERARY SOCIETIES.",
        (
            "There are two Literary Societies, the Athenian and the Philomathean, each of which has a hall and a "
            "library of its own.",
            "They meet on Friday evening for debate, for the reading of essays, and for criticism, and their exercises "
            "are thought to be of great benefit to the members.",
            "An oration is pronounced before the united Societies on the day that precedes Commencement.",
            "The question for the last public debate was, whether the discovery of gold has been an advantage to the "
            "country; and it was decided in the negative.",
        ),
    ),
}

FIRST_NAMES = (
    "Abner", "Amos", "Asa", "Benjamin", "Caleb", "Calvin", "Charles", "Daniel", "David", "Ebenezer", "Edward", "Elias",
    "Enoch", "Ezra", "Francis", "George", "Gideon", "Henry", "Hiram", "Horace", "Isaac", "James", "Joel", "John",
    "Joseph", "Joshua", "Lewis", "Lucius", "Luther", "Moses", "Nathan", "Oliver", "Peter", "Philip", "Reuben", "Robert",
    "Rufus", "Samuel", "Silas", "Stephen", "Thomas", "Timothy", "Walter", "William",
)  # fmt: skip
LADIES = (
    "Abigail", "Adeline", "Caroline", "Charlotte", "Clara", "Cornelia", "Eliza", "Emily", "Frances", "Hannah",
    "Harriet", "Isabella", "Jane", "Julia", "Louisa", "Lucy", "Margaret", "Martha", "Mary", "Nancy", "Rebecca", "Sarah",
    "Susan", "Virginia",
)  # fmt: skip
LAST_NAMES = (
    "Abbott", "Alden", "Barrows", "Beecher", "Bradford", "Brewster", "Chapin", "Clapp", "Converse", "Danforth",
    "Dwight", "Eastman", "Emerson", "Fairchild", "Farnham", "Fletcher", "Garrison", "Goodrich", "Griswold", "Hadley",
    "Hawley", "Hitchcock", "Holbrook", "Hubbard", "Jewett", "Kimball", "Langdon", "Lathrop", "Lockwood", "Merriam",
    "Morton", "Norwood", "Osgood", "Parsons", "Pettibone", "Phelps", "Pomeroy", "Prescott", "Ransom", "Sedgwick",
    "Sherwood", "Stoddard", "Strong", "Talcott", "Thayer", "Trowbridge", "Upham", "Wadsworth", "Whitcomb", "Woodruff",
)  # fmt: skip
TOWNS = (
    "Ashby", "Bethel", "Brookfield", "Canton", "Chester", "Clinton", "Danville", "Dover", "Fairfax", "Franklin",
    "Goshen", "Granby", "Hartland", "Harrison", "Lebanon", "Lyndon", "Marion", "Milford", "Newbury", "Oxford",
    "Palmyra", "Richmond", "Salem", "Sharon", "Troy", "Vernon", "Warren", "Winfield",
)  # fmt: skip
CHAIRS = (
    "Professor of Moral Philosophy.", "Professor of Mathematics.", "Professor of the Greek Language.",
    "Professor of the Latin Language.", "Professor of Chemistry and Geology.", "Professor of Rhetoric and Logic.",
    "Tutor in Greek.", "Tutor in Mathematics.", "Teacher of French and German.", "Teacher of Penmanship.",
    "Librarian.", "Treasurer and Secretary.", "Steward.",
)  # fmt: skip
STUDIES = (
    ("Livy.", "Folsom's Edition."), ("Horace, the Odes.", "Anthon's."), ("Cicero, de Officiis.", "Thacher's."),
    ("Xenophon's Anabasis.", "Owen's."), ("Homer's Iliad.", "Felton's."), ("Algebra, continued.", "Day's."),
    ("Geometry.", "Legendre."), ("Plane Trigonometry.", "Loomis."), ("Conic Sections.", "Coffin's."),
    ("Natural Philosophy.", "Olmsted's."), ("Chemistry, with Lectures.", "Silliman's."), ("Botany.", "Gray's."),
    ("Rhetoric.", "Whately's."), ("Logic.", "Hedge's."), ("Mental Philosophy.", "Upham's."),
    ("Moral Science.", "Wayland's."), ("Political Economy.", "Say's."), ("Astronomy.", "Herschel's."),
    ("Evidences of Christianity.", "Paley's."), ("Constitution of the United States.", "Story's."),
    ("Ancient History.", "Taylor's."), ("English Composition.", "Parker's."), ("Physiology.", "Cutter's."),
)  # fmt: skip
CHARGES = (
    ("Tuition, per term", 8, 16), ("Room rent, per term", 2, 6), ("Board, per week", 1, 3),
    ("Washing, per dozen", 0, 1), ("Fuel and lights", 3, 9), ("Use of the Library", 1, 2),
    ("Incidental expenses", 1, 3), ("Lessons in French", 5, 8), ("Chemical apparatus", 1, 3), ("Diploma", 3, 5),
    ("Sweeping and bell", 1, 2), ("Hire of an instrument", 2, 4),
)  # fmt: skip
EVENTS = (
    ("Sept. 5", "First Term begins, Wednesday."), ("Oct. 19", "Meeting of the Trustees."),
    ("Nov. 24", "Recess of Thanksgiving, three days."), ("Dec. 20", "Examination of the lower classes."),
    ("Jan. 9", "Second Term begins, Wednesday."), ("Feb. 22", "Washington's Birthday."),
    ("March 27", "Junior Exhibition."), ("April 16", "Spring Vacation of two weeks."),
    ("May 1", "Third Term begins, Wednesday."), ("June 12", "Examination of the Senior Class."),
    ("July 24", "Address before the Societies."), ("July 25", "COMMENCEMENT."),
)  # fmt: skip
DIVISIONS = (
    "exam-in-ation", "exam-in-ations", "Arith-metic", "Tes-ti-mo-ni-als", "pro-por-tion-ate", "char-ac-ter",
    "prin-ci-pal", "ven-er-able", "dis-mis-sion", "In-sti-tu-tion", "can-di-dates", "Com-mence-ment", "ad-van-tage",
    "dis-ad-van-tage", "gov-ern-ment", "at-ten-dance", "schol-ar-ship", "de-port-ment", "guard-ian", "rec-i-ta-tion",
    "Pres-i-dent", "per-mis-sion", "build-ings", "equal-ly", "oc-cu-py", "stu-dents", "com-mon-ly", "re-moved",
    "of-fence", "af-ter-noons", "ref-er-ence", "en-grav-ings", "Ap-pa-ra-tus", "tele-scope", "Cab-i-net",
    "Chem-is-try", "spec-i-mens", "news-pa-pers", "Scrip-ture", "de-nom-i-na-tion", "Chris-tians", "cor-re-sponds",
    "Com-mit-tee", "Trus-tees", "sat-is-fac-tion", "com-po-si-tions", "dis-ser-ta-tions", "Bach-e-lor",
    "cer-tif-i-cate", "ap-pli-ca-tion", "in-dus-try", "Math-e-mat-ics", "re-com-mended", "Phil-a-del-phia",
    "in-stru-ments", "or-na-men-tal", "crit-i-cism", "So-ci-eties", "Treas-urer", "re-main-der", "de-duc-tion",
    "ab-sence",
)  # fmt: skip
"""Where words may be divided at the end of a line."""
