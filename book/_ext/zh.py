"""The role {zh}`traditional|simplified`: a term in both Chinese scripts.

Each form carries its language, so that a browser takes the right glyphs and a
screen reader the right voice.
A term that is written the same in both scripts is given once.
"""

from html import escape

from docutils import nodes

BOTH = (("zh", "繁體、简体"),)
EACH = (("zh-Hant", "繁體"), ("zh-Hans", "简体"))


def zh(name, rawtext, text, lineno, inliner, options=None, content=None):
    """Turn `traditional|simplified`, or one form for both, into HTML; else report an error."""
    forms = [form.strip() for form in text.split("|")]
    if not all(forms) or len(forms) > 2:
        message = inliner.reporter.error(
            f"{rawtext}: write {{zh}}`traditional|simplified`", line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]
    scripts = BOTH if len(forms) == 1 else EACH
    spans = " ".join(f'<span lang="{lang}"><small>{label}</small> {escape(form)}</span>'
                     for (lang, label), form in zip(scripts, forms, strict=True))
    html = f'<span class="zh">{spans}</span>'
    return [nodes.raw(rawtext, html, format="html")], []


def setup(app):
    """Register the role; called by Sphinx."""
    app.add_role("zh", zh)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
