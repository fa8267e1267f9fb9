//! The picture of a soak: memory, threads and descriptors over time, with the times of trouble shaded.

use std::fmt::Write;

use crate::soak::Sample;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;

/// A title, a colour, and what is drawn.
type Panel = (&'static str, &'static str, fn(&Sample) -> f64);

/// The plot as SVG.
pub(crate) fn svg(samples: &[Sample]) -> String {
    let end = samples.last().map_or(1.0, |sample| sample.at.as_secs_f64()).max(1.0);
    let x = |seconds: f64| LEFT + seconds / end * WIDTH;
    let panels: [Panel; 3] = [
        ("resident memory of the robot, MiB", "#1f77b4", |sample| sample.usage.resident as f64 / f64::from(1 << 20)),
        ("threads", "#d95f02", |sample| sample.usage.threads as f64),
        ("descriptors", "#2ca02c", |sample| sample.usage.descriptors as f64),
    ];
    let (width, height) = (LEFT + WIDTH + 30.0, TOP + panels.len() as f64 * (HEIGHT + 50.0));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"16\">telelink soak, {end:.0} s; grey: packets are being lost</text>\n"
    );
    for (n, (title, color, value)) in panels.into_iter().enumerate() {
        let top = TOP + n as f64 * (HEIGHT + 50.0);
        let largest = samples.iter().map(value).fold(1.0, f64::max) * 1.1;
        let y = |value: f64| top + HEIGHT - value / largest * HEIGHT;
        for pair in samples.windows(2).filter(|pair| pair[0].flapping) {
            let (from, to) = (x(pair[0].at.as_secs_f64()), x(pair[1].at.as_secs_f64()));
            let _ = writeln!(
                out,
                "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{HEIGHT}\" fill=\"#eee\"/>",
                to - from
            );
        }
        for step in 0..=4 {
            let value = largest * f64::from(step) / 4.0;
            let at = y(value);
            let _ = writeln!(
                out,
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ccc\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>",
                LEFT + WIDTH,
                LEFT - 6.0,
                at + 4.0
            );
        }
        let points: Vec<String> =
            samples.iter().map(|sample| format!("{:.1},{:.1}", x(sample.at.as_secs_f64()), y(value(sample)))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\"/>\
             <text x=\"{LEFT}\" y=\"{}\" font-size=\"13\">{title}</text>",
            points.join(" "),
            top - 6.0
        );
    }
    out.push_str("</svg>\n");
    out
}
