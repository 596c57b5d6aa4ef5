//! A document as one HTML page that loads nothing: style sheet and plots are within it.

use minijinja::{Environment, Error};

use super::document::Document;

const TEMPLATES: [(&str, &str); 2] = [
    ("page.html", include_str!("templates/page.html")),
    ("report.css", include_str!("templates/report.css")),
];

impl Document {
    /// The whole page; every text within it is escaped, also what would turn the direction of the text around it.
    ///
    /// # Errors
    /// A fault in the template.
    pub fn html(&self) -> Result<String, Error> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_keep_trailing_newline(true);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        let page = environment.get_template("page.html")?.render(self)?;
        Ok(printable::text(&page).into_owned())
    }
}
