"""Truth from elsewhere, in the forms in which others keep it; and whatever else is in a file of that name."""

import pytest

from assets.quality.truth import TruthError, truth_of

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"><Page imageFilename="1.jpg">
  <ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="1" regionRef="second"/>
    <RegionRefIndexed index="0" regionRef="head"/><RegionRefIndexed index="2" regionRef="first"/>
  </OrderedGroup></ReadingOrder>
  <TextRegion id="first"><TextLine><TextEquiv index="1"><Unicode>wrong</Unicode></TextEquiv><TextEquiv index="0">
    <Unicode>zum Schluß</Unicode></TextEquiv></TextLine></TextRegion>
  <TextRegion id="head" type="header"><TextLine><TextEquiv><Unicode>HEAD</Unicode></TextEquiv></TextLine></TextRegion>
  <TextRegion id="second" type="paragraph">
    <TextLine><Word><TextEquiv><Unicode>exam-</Unicode></TextEquiv></Word></TextLine>
    <TextLine><Word><TextEquiv><Unicode>ination</Unicode></TextEquiv></Word>
    <Word><TextEquiv><Unicode>of</Unicode></TextEquiv></Word></TextLine></TextRegion>
  <TextRegion id="unordered"><TextEquiv><Unicode>as a whole</Unicode></TextEquiv></TextRegion>
</Page></PcGts>"""
ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout><Page>
  <TopMargin><TextBlock><TextLine><String CONTENT="HEAD"/></TextLine></TextBlock></TopMargin>
  <PrintSpace><ComposedBlock><TextBlock><TextLine><String CONTENT="an"/><SP/><String CONTENT="exam"/><HYP CONTENT="-"/>
  </TextLine><TextLine><String CONTENT="ination"/></TextLine></TextBlock></ComposedBlock></PrintSpace>
</Page></Layout></alto>"""


def test_text_is_had_in_reading_order_and_without_what_is_of_the_page() -> None:
    page, alto = truth_of("1.xml", PAGE.encode()), truth_of("1.XML", ALTO.encode())
    assert page.format == "page"
    assert page.text == "HEAD\n\nexam-\nination of\n\nzum Schluß\n\nas a whole"
    assert page.body == "exam-\nination of\n\nzum Schluß\n\nas a whole"
    assert (alto.format, alto.text, alto.body) == ("alto", "HEAD\n\nan exam-\nination", "an exam-\nination")
    text = truth_of("1.txt", "\ufeffäöü\n".encode())
    assert (text.format, text.text, text.body) == ("text", "äöü\n", "äöü\n")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("1.txt", b"\xff\xfe", "no text in UTF-8"),
        ("1.xml", b"<PcGts", "is no XML"),
        ("1.xml", b"<?xml version='1.0' encoding='nonsense'?><a/>", "is no XML"),
        ("1.xml", b"<html/>", "neither PAGE XML nor ALTO: its root is 'html'"),
        ("1.xml", b'<!DOCTYPE a [<!ENTITY x "y">]><alto>&x;</alto>', "has entities of its own"),
        ("1.xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><alto>&x;</alto>', "has entities of its own"),
    ],
)
def test_what_is_no_truth_is_told(name: str, content: bytes, problem: str) -> None:
    with pytest.raises(TruthError, match=problem):
        truth_of(name, content)


def test_a_page_without_text_is_empty() -> None:
    assert truth_of("1.xml", b"<alto/>").text == ""
    assert truth_of("1.xml", b"<PcGts><Page/></PcGts>").text == ""
    fetched = b'<!DOCTYPE alto SYSTEM "http://127.0.0.1:1/nobody.dtd"><alto/>'
    assert truth_of("1.xml", fetched).text == "", "nothing is fetched"
