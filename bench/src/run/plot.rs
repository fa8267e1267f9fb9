//! The picture of a run: grouped bars on logarithmic axes, one panel a question.

use std::fmt::Write;

use super::budgets::short;
use super::results::{Measured, Row, Who};
use super::scenarios::{FLOW, LOSSY_IDLE, LOSSY_OVERLOAD, LOSSY_PACED, LOSSY_SPREAD, LOSSY_TOGETHER, RELIABLE_IDLE};

const WIDTH: f64 = 1120.0;
const PANEL: (f64, f64) = (500.0, 250.0);
const COLUMNS: usize = 2;
const GAP: (f64, f64) = (60.0, 90.0);
const TOP: f64 = 90.0;
const LEFT: f64 = 55.0;

struct Panel {
    title: &'static str,
    unit: &'static str,
    logarithmic: bool,
    groups: Vec<Group>,
}

struct Group {
    label: String,
    bars: Vec<(Who, f64)>,
}

fn color(who: Who) -> &'static str {
    match who {
        Who::Telelink => "#1f77b4",
        Who::Peer => "#d95f02",
        Who::Raw => "#7f7f7f",
        Who::Single => "#bdbdbd",
    }
}

/// The plot as SVG.
pub(crate) fn svg(rows: &[Row], note: &str) -> String {
    let panels = panels(rows);
    let lines = panels.len().div_ceil(COLUMNS) as f64;
    let height = TOP + lines * (PANEL.1 + GAP.1);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"18\" font-weight=\"bold\">telelink beside its peers, one run</text>\n\
         <text x=\"{LEFT}\" y=\"46\" fill=\"#555\">{}</text>\n",
        escape(note)
    );
    for (n, who) in Who::ALL.into_iter().enumerate() {
        let x = LEFT + n as f64 * 130.0;
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"56\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{}\" y=\"67\">{}</text>",
            color(who),
            x + 18.0,
            who.name()
        );
    }
    for (n, panel) in panels.iter().enumerate() {
        let x = LEFT + (n % COLUMNS) as f64 * (PANEL.0 + GAP.0);
        let y = TOP + 20.0 + (n / COLUMNS) as f64 * (PANEL.1 + GAP.1);
        draw(&mut out, panel, x, y);
    }
    out.push_str("</svg>\n");
    out
}

fn panels(rows: &[Row]) -> Vec<Panel> {
    let cases = |title, unit, logarithmic, wanted: &dyn Fn(&Row) -> Option<(String, f64)>| {
        let mut groups: Vec<Group> = Vec::new();
        for row in rows {
            let Some((label, value)) = wanted(row).filter(|(_, value)| value.is_finite()) else { continue };
            match groups.iter_mut().find(|group| group.label == label) {
                Some(group) => group.bars.push((row.robot, value)),
                None => groups.push(Group { label, bars: vec![(row.robot, value)] }),
            }
        }
        Panel { title, unit, logarithmic, groups }
    };
    let pick = |scenario: &'static str, field: fn(&Measured) -> f64| {
        move |row: &Row| {
            (row.case.scenario == scenario)
                .then(|| (format!("{}, {}", size(row.case.size), viewers(row.case.viewers)), field(&row.median)))
        }
    };
    let latency = |scenario: &'static str| {
        move |row: &Row| (row.case.scenario == scenario).then(|| (size(row.case.size), row.median.latency_p50_ms))
    };
    vec![
        cases("Reliable: messages per second each viewer gets", "/s", true, &pick(FLOW, |m| m.messages_per_s)),
        cases("Reliable: robot's CPU per message at that rate", "us", true, &pick(FLOW, |m| m.cpu_us_per_message)),
        cases(
            "Lossy: robot's CPU per message (500/s; 64 KiB: 50/s)",
            "us",
            true,
            &pick(LOSSY_PACED, |m| m.cpu_us_per_message),
        ),
        cases("Lossy, 50 channels: delivered of the worst channel", "%", false, &|row| {
            let label = match row.case.scenario {
                LOSSY_SPREAD => "20 Hz, spread",
                LOSSY_TOGETHER => "20 Hz, together",
                LOSSY_OVERLOAD => "100 Hz (overload)",
                _ => return None,
            };
            Some((label.into(), row.median.worst_channel_percent))
        }),
        cases("Reliable: one-way latency at 50/s, p50", "ms", true, &latency(RELIABLE_IDLE)),
        cases("Lossy: one-way latency at 50/s, p50", "ms", true, &latency(LOSSY_IDLE)),
    ]
}

fn size(bytes: usize) -> String {
    if bytes < 1024 {
        format!("{bytes} B")
    } else {
        format!("{} KiB", bytes / 1024)
    }
}

fn viewers(count: usize) -> String {
    if count == 1 {
        "1 viewer".into()
    } else {
        format!("{count} viewers")
    }
}

fn draw(out: &mut String, panel: &Panel, x: f64, y: f64) {
    let (width, height) = PANEL;
    let values = || panel.groups.iter().flat_map(|group| &group.bars).map(|(_, value)| *value).filter(|v| *v > 0.0);
    let (low, high) = if panel.logarithmic {
        let low = values().fold(f64::INFINITY, f64::min).max(1e-3).log10().floor();
        // Room above the highest bar for its figure.
        (low, (values().fold(1e-3, f64::max) * 1.3).log10().ceil().max(low + 1.0))
    } else {
        (0.0, values().fold(1.0, f64::max) * 1.12)
    };
    let at = |value: f64| {
        let value = if panel.logarithmic { value.max(1e-9).log10() } else { value };
        y + height - ((value - low) / (high - low)).clamp(0.0, 1.0) * height
    };
    let _ =
        writeln!(out, "<text x=\"{x}\" y=\"{}\" font-weight=\"bold\">{}, {}</text>", y - 10.0, panel.title, panel.unit);
    let ticks: Vec<f64> = if panel.logarithmic {
        (low as i32..=high as i32).map(|power| 10_f64.powi(power)).collect()
    } else {
        (0..=4).map(|n| f64::from(n) * 25.0).filter(|tick| *tick <= high).collect()
    };
    for tick in ticks {
        let line = at(tick);
        let label = if tick >= 1e6 {
            format!("{}M", tick / 1e6)
        } else if tick >= 1e3 {
            format!("{}k", tick / 1e3)
        } else {
            format!("{tick}")
        };
        let _ = writeln!(
            out,
            "<line x1=\"{x}\" x2=\"{}\" y1=\"{line}\" y2=\"{line}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#555\">{label}</text>",
            x + width,
            x - 6.0,
            line + 4.0,
        );
    }
    let slot = width / panel.groups.len().max(1) as f64;
    for (n, group) in panel.groups.iter().enumerate() {
        let bar = ((slot - 14.0) / group.bars.len().max(1) as f64).min(34.0);
        let start = x + n as f64 * slot + (slot - bar * group.bars.len() as f64) / 2.0;
        for (k, (who, value)) in group.bars.iter().enumerate() {
            let (left, top) = (start + k as f64 * bar, at(*value));
            let _ = writeln!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"9\">{}</text>",
                bar - 2.0,
                (y + height - top).max(0.5),
                color(*who),
                left + bar / 2.0 - 1.0,
                top - 3.0,
                figure(*value),
            );
        }
        let middle = x + (n as f64 + 0.5) * slot;
        for (line, part) in group.label.split(", ").enumerate() {
            let _ = writeln!(
                out,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                y + height + 16.0 + line as f64 * 14.0,
                escape(part)
            );
        }
    }
    let _ = writeln!(
        out,
        "<line x1=\"{x}\" x2=\"{}\" y1=\"{}\" y2=\"{}\" stroke=\"#333\"/>",
        x + width,
        y + height,
        y + height
    );
}

fn figure(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{:.0}k", value / 1e3)
    } else {
        short(value)
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
