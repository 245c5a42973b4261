import pytest

from data_prep.catalogue.markup import plain_text


def text_of(text):
    return " ".join(plain_text(text).split())


@pytest.mark.parametrize(
    "exported, plain",
    [
        (
            "Cotton &amp; silk &ndash; wash below 30&deg;C&nbsp;only",
            "Cotton & silk – wash below 30°C only",
        ),
        ("<p>Soft <b>w</b>ool jumper.<br/>Made in Italy.</p>", "Soft wool jumper. Made in Italy."),
        ("<UL class='x'><LI>red<LI>blue</UL>and", "red blue and"),
        ("<table><tr><td nowrap>S</td><td>M</td></tr></table>", "S M"),
        ('a<script type="x">if (a < b) {"<p>"}</script>b<style>p {}</style>c', "abc"),
        ("a <!-- <b>hidden</b> --> b<!DOCTYPE html>", "a b"),
        ("<![CDATA[Soft <i>wool</i>]]>", "Soft wool"),
        ("one<o:p></o:p> two<shop-badge x='1'>!</shop-badge>", "one two!"),
        ("&#8220;Chic&#x201D; &#39;90s &#150; &euro;5", "“Chic” '90s – €5"),
        ("caf&eacute; &Eacute;t&eacute; 10&nbsp cm", "café Été 10 cm"),
        ("T&amp;amp;C &amp;eacute; &lt;p&gt;a&lt;/p&gt;b", "T&C é a b"),
        ("&amp;lt;b&amp;gt;bold&amp;lt;/b&amp;gt;", "bold"),
        ('<a href="x.html?a=1&amp;b=2" title="a > b">link</a>', "link"),
        ("<p>unclosed <b>text", "unclosed text"),
        ("<p>1 &lt; 2</p>", "1 < 2"),
    ],
)
def test_markup_becomes_text(exported, plain):
    assert text_of(exported) == plain
    assert text_of(plain) == plain


@pytest.mark.parametrize(
    "text",
    [
        "a < b and 5 > 3",
        "1<2 >0",
        "I <3 wool & H&M, R&D, AT&T; Q&A",
        "sizes <XL and >S",
        "waist <b and hips> c",
        "less than <50 EUR",
        "heel <p",
        "black&notebook &unknown; &#;",
        "->arrow<-",
        "see </here> and <there/>",
        "Röcke & Co.",
    ],
)
def test_plain_text_stays(text):
    assert plain_text(text) == text
