//! One panel: what it asks, and how the answer is shown.
//!
//! Shapes are those of Grafana 12 (`schemaVersion` 42); a test holds them against the schemas that Grafana publishes.

use serde_json::{Value, json};

/// A kind of panel, with what only it has.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Numbers large enough to be read from the door. `tiles`: the whole tile has the colour.
    Stat {
        tiles: bool,
        sparkline: bool,
    },
    /// Lines over time. `filled`: stacked areas.
    Lines {
        filled: bool,
    },
    /// States over time, a row for each series.
    Timeline,
    Heatmap,
    /// The latest values as bars.
    Bars,
    Table,
}

/// One question to Prometheus.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub expr: String,
    pub legend: String,
    /// Only the latest value.
    pub instant: bool,
    /// Traces in which it can be seen are drawn too.
    pub exemplars: bool,
}

/// How a line is drawn that is no measurement but a bound.
pub const BOUND: &str = "bound: ";

#[derive(Debug, Clone)]
pub struct Panel {
    pub kind: Kind,
    pub title: String,
    pub description: String,
    pub queries: Vec<Query>,
    /// Of 24.
    pub width: u32,
    pub height: u32,
    pub unit: &'static str,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// From the lowest on: from which value on which colour; the first has no value.
    pub thresholds: Vec<(Option<f64>, &'static str)>,
    /// Values with words and colours of their own.
    pub mappings: Vec<(f64, &'static str, &'static str)>,
    /// Where a person reads on: title and address.
    pub links: Vec<(String, String)>,
    /// Where a click on a series of this name leads.
    pub series_links: Vec<(String, String)>,
    /// What is shown where there is no answer.
    pub nothing: Option<&'static str>,
    pub transformations: Vec<Value>,
    pub overrides: Vec<Value>,
}

impl Panel {
    pub fn new(kind: Kind, title: impl Into<String>, description: impl Into<String>) -> Panel {
        Panel {
            kind,
            title: title.into(),
            description: description.into(),
            queries: Vec::new(),
            width: 8,
            height: 8,
            unit: "short",
            min: None,
            max: None,
            thresholds: vec![(None, "green")],
            mappings: Vec::new(),
            links: Vec::new(),
            series_links: Vec::new(),
            nothing: None,
            transformations: Vec::new(),
            overrides: Vec::new(),
        }
    }

    pub fn stat(title: impl Into<String>, description: impl Into<String>) -> Panel {
        Panel::new(Kind::Stat { tiles: false, sparkline: true }, title, description).sized(4, 4)
    }

    pub fn tiles(title: impl Into<String>, description: impl Into<String>) -> Panel {
        Panel::new(Kind::Stat { tiles: true, sparkline: false }, title, description).sized(4, 4)
    }

    pub fn lines(title: impl Into<String>, description: impl Into<String>) -> Panel {
        Panel::new(Kind::Lines { filled: false }, title, description)
    }

    pub fn sized(mut self, width: u32, height: u32) -> Panel {
        (self.width, self.height) = (width, height);
        self
    }

    pub fn unit(mut self, unit: &'static str) -> Panel {
        self.unit = unit;
        self
    }

    pub fn between(mut self, min: impl Into<Option<f64>>, max: impl Into<Option<f64>>) -> Panel {
        (self.min, self.max) = (min.into(), max.into());
        self
    }

    /// Over time.
    pub fn ask(mut self, expr: impl Into<String>, legend: impl Into<String>) -> Panel {
        self.queries.push(Query {
            expr: expr.into(),
            legend: legend.into(),
            instant: false,
            exemplars: false,
        });
        self
    }

    /// Now.
    pub fn ask_now(mut self, expr: impl Into<String>, legend: impl Into<String>) -> Panel {
        self.queries.push(Query {
            expr: expr.into(),
            legend: legend.into(),
            instant: true,
            exemplars: false,
        });
        self
    }

    /// Of all that was asked so far.
    pub fn with_exemplars(mut self) -> Panel {
        self.queries.iter_mut().for_each(|query| query.exemplars = true);
        self
    }

    pub fn thresholds(mut self, thresholds: impl IntoIterator<Item = (Option<f64>, &'static str)>) -> Panel {
        self.thresholds = thresholds.into_iter().collect();
        self
    }

    pub fn mapped(mut self, mappings: &[(f64, &'static str, &'static str)]) -> Panel {
        self.mappings = mappings.to_vec();
        self
    }

    pub fn link(mut self, title: impl Into<String>, address: impl Into<String>) -> Panel {
        self.links.push((title.into(), address.into()));
        self
    }

    pub fn or_else(mut self, nothing: &'static str) -> Panel {
        self.nothing = Some(nothing);
        self
    }

    /// As Grafana has it, at a place of the grid.
    pub fn json(&self, id: u32, x: u32, y: u32) -> Value {
        let mut panel = json!({
            "id": id,
            "type": self.type_name(),
            "title": self.title,
            "description": self.description,
            "gridPos": { "x": x, "y": y, "w": self.width, "h": self.height },
            "options": self.options(),
        });
        if !self.links.is_empty() {
            panel["links"] = self.links.iter().map(|(title, url)| link(title, url)).collect();
        }
        panel["datasource"] = datasource();
        panel["targets"] = self.queries.iter().zip('A'..).map(|(query, id)| self.target(query, id)).collect();
        panel["fieldConfig"] = json!({ "defaults": self.defaults(), "overrides": self.overrides() });
        if !self.transformations.is_empty() {
            panel["transformations"] = self.transformations.clone().into();
        }
        panel
    }

    const fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Stat { .. } => "stat",
            Kind::Lines { .. } => "timeseries",
            Kind::Timeline => "state-timeline",
            Kind::Heatmap => "heatmap",
            Kind::Bars => "bargauge",
            Kind::Table => "table",
        }
    }

    fn target(&self, query: &Query, id: char) -> Value {
        let format = match self.kind {
            Kind::Heatmap => "heatmap",
            Kind::Table => "table",
            _ => "time_series",
        };
        let mut target = json!({
            "refId": id.to_string(),
            "datasource": datasource(),
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend,
            "format": format,
            "instant": query.instant,
            "range": !query.instant,
        });
        if query.exemplars {
            target["exemplar"] = true.into();
        }
        target
    }

    fn options(&self) -> Value {
        let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        let legend = json!({ "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] });
        match &self.kind {
            Kind::Stat { tiles, sparkline } => json!({
                "reduceOptions": reduce,
                "colorMode": if *tiles { "background" } else { "value" },
                "graphMode": if *sparkline { "area" } else { "none" },
                "justifyMode": "auto",
                "orientation": "auto",
                "textMode": if self.queries.len() > 1 || *tiles { "value_and_name" } else { "value" },
                "wideLayout": true,
                "showPercentChange": false,
                "percentChangeColorMode": "standard",
            }),
            Kind::Lines { .. } => json!({ "legend": legend, "tooltip": { "mode": "multi", "sort": "desc" } }),
            Kind::Timeline => json!({
                "showValue": "never",
                "rowHeight": 0.85,
                "mergeValues": true,
                "alignValue": "left",
                "legend": legend,
                "tooltip": { "mode": "single", "sort": "none" },
            }),
            Kind::Heatmap => heatmap(),
            Kind::Bars => json!({
                "reduceOptions": reduce,
                "orientation": "horizontal",
                "displayMode": "basic",
                "valueMode": "color",
                "namePlacement": "auto",
                "showUnfilled": true,
                "sizing": "auto",
                "minVizWidth": 8,
                "minVizHeight": 16,
                "maxVizHeight": 300,
                "legend": { "displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": [] },
            }),
            Kind::Table => json!({ "frameIndex": 0, "showHeader": true, "cellHeight": "sm" }),
        }
    }

    fn defaults(&self) -> Value {
        let steps: Vec<Value> =
            self.thresholds.iter().map(|(value, color)| json!({ "value": value, "color": color })).collect();
        let mut defaults = json!({
            "unit": self.unit,
            "thresholds": { "mode": "absolute", "steps": steps },
            "mappings": self.mapped_values(),
            "color": { "mode": self.color_mode() },
            "custom": self.custom(),
        });
        for (key, value) in [("min", self.min), ("max", self.max)] {
            if let Some(value) = value {
                defaults[key] = value.into();
            }
        }
        if let Some(nothing) = self.nothing {
            defaults["noValue"] = nothing.into();
        }
        defaults
    }

    const fn color_mode(&self) -> &'static str {
        match self.kind {
            Kind::Lines { .. } => "palette-classic",
            _ => "thresholds",
        }
    }

    fn mapped_values(&self) -> Value {
        if self.mappings.is_empty() {
            return json!([]);
        }
        let one = |(at, (value, text, color)): (usize, &(f64, &str, &str))| {
            (format!("{value}"), json!({ "text": text, "color": color, "index": at }))
        };
        let options: serde_json::Map<String, Value> = self.mappings.iter().enumerate().map(one).collect();
        json!([{ "type": "value", "options": options }])
    }

    /// Of a line chart: bounds from the definitions are drawn where there are any.
    fn custom(&self) -> Value {
        match &self.kind {
            Kind::Lines { filled } => json!({
                "drawStyle": "line",
                "lineInterpolation": "linear",
                "lineWidth": 1,
                "fillOpacity": if *filled { 40 } else { 8 },
                "showPoints": "never",
                "spanNulls": false,
                "stacking": { "group": "A", "mode": if *filled { "normal" } else { "none" } },
                "thresholdsStyle": { "mode": if self.thresholds.len() > 1 { "dashed+area" } else { "off" } },
            }),
            Kind::Timeline => json!({ "lineWidth": 0, "fillOpacity": 85 }),
            Kind::Table => json!({ "align": "auto", "inspect": false }),
            _ => json!({}),
        }
    }

    /// Links of single series, and lines that are bounds.
    fn overrides(&self) -> Value {
        let linked = self.series_links.iter().map(|(name, address)| {
            let links = json!([{ "title": format!("Open {name}"), "url": address, "targetBlank": false }]);
            of_series(name, "links", links)
        });
        let bounds = self.queries.iter().filter(|query| query.legend.starts_with(BOUND)).map(|query| {
            json!({
                "matcher": { "id": "byName", "options": query.legend },
                "properties": [
                    { "id": "custom.lineStyle", "value": { "fill": "dash", "dash": [8, 6] } },
                    { "id": "custom.fillOpacity", "value": 0 },
                    { "id": "color", "value": { "mode": "fixed", "fixedColor": "red" } },
                ],
            })
        });
        linked.chain(bounds).chain(self.overrides.iter().cloned()).collect()
    }
}

/// One property of the series of one name.
pub fn of_series(name: &str, property: &str, value: Value) -> Value {
    json!({
        "matcher": { "id": "byName", "options": name },
        "properties": [{ "id": property, "value": value }],
    })
}

fn heatmap() -> Value {
    json!({
        "calculate": false,
        "cellGap": 1,
        "color": { "mode": "scheme", "scheme": "Oranges", "fill": "dark-orange", "scale": "exponential", "exponent": 0.5, "steps": 64, "reverse": false },
        "exemplars": { "color": "rgba(255,0,255,0.7)" },
        "filterValues": { "le": 1e-9 },
        "legend": { "show": true },
        "rowsFrame": { "layout": "auto" },
        "showValue": "never",
        "tooltip": { "mode": "single", "yHistogram": false, "showColorScale": false },
        "yAxis": { "axisPlacement": "left", "reverse": false, "unit": "s" },
    })
}

/// The data source that the reader chose.
pub fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A link of a panel or of a board.
pub fn link(title: &str, address: &str) -> Value {
    json!({
        "title": title,
        "type": "link",
        "icon": "external link",
        "tooltip": "",
        "url": address,
        "tags": [],
        "asDropdown": false,
        "targetBlank": true,
        "includeVars": false,
        "keepTime": false,
    })
}
