//! The few shapes the plots are made of.

use std::fmt::Write as _;

use minijinja::HtmlEscape;

/// Width of every view box.
pub const WIDTH: f64 = 480.0;

const STYLE: &str = "\
.pl{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:13px}\
.pl text{fill:#1f2328}.pl .soft{fill:#57606a}.pl .small{font-size:11.5px}.pl .head{font-size:15px;font-weight:600}\
.pl .grid{stroke:#d0d7de;stroke-width:1}.pl .axis{stroke:#57606a;stroke-width:1}.pl .mark{stroke:#1f2328}\
.pl .whisker{stroke:#1f2328;stroke-width:1.5}.pl .hatch{stroke:#fff}\
.pl .halo{paint-order:stroke;stroke:#fff;stroke-width:3px}\
@media(prefers-color-scheme:dark){.pl text{fill:#e6edf3}.pl .soft{fill:#9aa4af}.pl .grid{stroke:#30363d}\
.pl .axis{stroke:#8b949e}.pl .mark{stroke:#e6edf3}.pl .whisker{stroke:#e6edf3}.pl .hatch,.pl .halo{stroke:#0d1117}}";

/// Where a text is anchored.
#[derive(Debug, Clone, Copy)]
pub enum Anchor {
    /// Its start.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Anchor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// Shapes drawn so far.
#[derive(Debug, Default)]
pub struct Canvas {
    body: String,
}

impl Canvas {
    /// A line of a style class (`grid`, `axis`, `mark`, `whisker`), with dashes if not empty.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64), dash: &str) {
        let dash = if dash.is_empty() {
            String::new()
        } else {
            format!(r#" stroke-dasharray="{dash}""#)
        };
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"{dash}/>"#
        ));
    }

    /// A text of a style class.
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = anchor.as_str();
        let (x, y) = at;
        self.push(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
            escape(text)
        ));
    }

    /// A name as it is shown, where that is short of it with the whole name in a tooltip.
    pub fn name(&mut self, at: (f64, f64), anchor: Anchor, name: &str, shown: &str) {
        if shown == name {
            return self.text("", at, anchor, name);
        }
        let (x, y) = at;
        self.push(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{}"><title>{}</title>{}</text>"#,
            anchor.as_str(),
            escape(name),
            escape(shown)
        ));
    }

    /// A filled rectangle with a tooltip.
    pub fn bar(&mut self, at: (f64, f64), size: (f64, f64), fill: &str, tooltip: &str) {
        let ((x, y), (width, height)) = (at, size);
        self.push(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" rx="1.5" fill="{fill}"><title>{}</title></rect>"#,
            width.max(0.0),
            height.max(0.0),
            escape(tooltip)
        ));
    }

    /// A line through points with a dot at each, and a tooltip.
    pub fn polyline(&mut self, points: &[(f64, f64)], colour: &str, dash: &str, tooltip: &str) {
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let title = format!("<title>{}</title>", escape(tooltip));
        self.push(format_args!(
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2.2" stroke-linejoin="round" stroke-dasharray="{}">{title}</polyline>"#,
            path.join(" "),
            if dash.is_empty() { "none" } else { dash }
        ));
        for (x, y) in points {
            self.push(format_args!(
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="2.4" fill="{colour}">{title}</circle>"#
            ));
        }
    }

    /// A filled circle with a tooltip.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, fill: &str, tooltip: &str) {
        let (x, y) = at;
        self.push(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" fill="{fill}"><title>{}</title></circle>"#,
            escape(tooltip)
        ));
    }

    /// [`Canvas::dot`], half transparent: many of them may lie on each other.
    pub fn pale_dot(&mut self, at: (f64, f64), radius: f64, fill: &str, tooltip: &str) {
        let (x, y) = at;
        self.push(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" fill="{fill}" fill-opacity=".6"><title>{}</title></circle>"#,
            escape(tooltip)
        ));
    }

    /// A diagonal hatch over a colour; returns the fill that refers to it. `id` must be unique within a page.
    pub fn hatch(&mut self, id: &str, colour: &str) -> String {
        self.push(format_args!(
            r#"<defs><pattern id="{id}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="{colour}"/><line class="hatch" x1="0" y1="0" x2="0" y2="6" stroke-width="2"/></pattern></defs>"#
        ));
        format!("url(#{id})")
    }

    /// The document: heading, shapes, and what a screen reader says.
    pub fn finish(self, title: &str, height: f64) -> String {
        format!(
            "<svg class=\"pl\" role=\"img\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"100%\">\
             <title>{}</title><style>{STYLE}</style>{}</svg>\n",
            escape(title),
            self.body
        )
    }

    fn push(&mut self, shape: std::fmt::Arguments<'_>) {
        // invariant: writing to a String cannot fail.
        let _ = self.body.write_fmt(shape);
    }
}

/// Text that a picture shows as it is, on one line. Of the characters that XML forbids, control characters are escaped, the others
/// become `�`.
fn escape(text: &str) -> String {
    let text = printable::line(text);
    HtmlEscape(&text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")).to_string()
}

/// How a legend shows an entry.
#[derive(Debug, Clone)]
pub enum Swatch {
    /// A filled square.
    Fill(String),
    /// A coloured line with dashes.
    Line(&'static str, &'static str),
    /// A dashed line in the text colour.
    Mark(&'static str),
}

/// Draws a legend from `top`, wrapping at the picture's width; returns the y below it.
pub fn legend(canvas: &mut Canvas, top: f64, entries: &[(Swatch, String)]) -> f64 {
    const ROW: f64 = 20.0;
    if entries.is_empty() {
        return top;
    }
    let (mut x, mut y) = (12.0, top + 12.0);
    for (swatch, label) in entries {
        let width = 30.0 + text_width(label, 13.0) + 16.0;
        if x > 12.0 && x + width - 16.0 > WIDTH - 8.0 {
            (x, y) = (12.0, y + ROW);
        }
        let middle = y - 4.5;
        match swatch {
            Swatch::Fill(fill) => canvas.bar((x + 4.0, y - 11.0), (16.0, 13.0), fill, label),
            Swatch::Line(colour, dash) => {
                canvas.polyline(&[(x, middle), (x + 24.0, middle)], colour, dash, label)
            }
            Swatch::Mark(dash) => canvas.line("mark", (x, middle), (x + 24.0, middle), dash),
        }
        canvas.text("", (x + 30.0, y), Anchor::Start, label);
        x += width;
    }
    y + 12.0
}

/// How wide a text is at most.
pub fn text_width(text: &str, size: f64) -> f64 {
    let units: f64 = text.chars().map(char_width).sum();
    units * size
}

/// In units of the font's size: those of DejaVu Sans, the widest of the fonts that are asked for, or a little more.
fn char_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' | '·' => 0.35,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '!' | '/' => 0.42,
        'm' | 'w' | 'W' | 'M' | '%' | '@' | '…' => 1.0,
        'A'..='Z' => 0.79,
        _ if c.is_ascii() => 0.65,
        _ => 1.0,
    }
}

/// Round tick values from 0 to at least `max`, at most six steps.
pub fn ticks(max: f64) -> Vec<f64> {
    if !(max.is_finite() && max > 0.0) {
        return vec![0.0, 1.0];
    }
    let raw = max / 6.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|s| *s >= raw * 0.999)
        .unwrap_or(raw);
    let steps = (max / step - 1e-9).ceil() as usize;
    (0..=steps).map(|i| i as f64 * step).collect()
}

/// A tick label without needless decimals.
pub fn tick_label(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    format!("{rounded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_maximum() {
        assert_eq!(ticks(12.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
        assert_eq!(ticks(13.0), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(ticks(0.0), [0.0, 1.0]);
        assert_eq!(ticks(f64::NAN), [0.0, 1.0]);
        assert_eq!(ticks(600.0).last(), Some(&600.0));
    }

    #[test]
    fn markup_in_text_is_shown_and_what_xml_forbids_is_replaced() {
        assert_eq!(escape("a <b> & \"c\""), "a &lt;b&gt; &amp; &quot;c&quot;");
        assert_eq!(escape("a\0b\u{1b}\tc"), "a\\u{0}b\\u{1b}\\tc");
        assert_eq!(escape("a\u{fffe}"), "a\u{fffd}");
    }

    #[test]
    fn tick_labels_have_no_float_noise() {
        assert_eq!(tick_label(0.1 + 0.2), "0.3");
        assert_eq!(tick_label(20.0), "20");
    }
}
