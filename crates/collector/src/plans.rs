//! Compiled templates, one for all exporters that send the same: a fleet of one make shares a few, which then stay in the
//! processor's caches.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use weir_wire::export::{Field, Plan, Template};

/// Plans kept to be shared; some 12 MiB when all are as large as templates can be. Further ones serve who sent them alone.
const PLANS_MAX: usize = 512;

/// What is shared.
#[derive(Default)]
pub(crate) struct Plans {
    known: HashMap<(u16, Vec<Field>), Arc<Plan>, RandomState>,
    /// Plans that found no place since what nobody uses was last looked for.
    homeless: usize,
}

impl Plans {
    /// The plan of a template, compiled if nobody has sent the like.
    pub(crate) fn of(&mut self, template: &Template) -> Arc<Plan> {
        // The id is the sender's own affair.
        let layout = (template.scope_fields, template.fields.clone());
        if let Some(plan) = self.known.get(&layout) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Plan::new(template));
        if self.known.len() < PLANS_MAX {
            self.known.insert(layout, Arc::clone(&plan));
            return plan;
        }
        self.homeless += 1;
        // Now and then: a flood of templates must not pay for a walk with each.
        if self.homeless >= PLANS_MAX {
            self.homeless = 0;
            self.known.retain(|_, plan| Arc::strong_count(plan) > 1);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(id: u16, width: u16) -> Template {
        Template {
            id,
            scope_fields: 0,
            fields: vec![Field { pen: 0, id: 1, width }],
        }
    }

    #[test]
    fn equal_layouts_share_and_the_table_is_bounded() {
        let mut plans = Plans::default();
        let one = plans.of(&template(256, 4));
        assert!(Arc::ptr_eq(&one, &plans.of(&template(300, 4))));
        let held: Vec<_> = (5..3_000).map(|width| plans.of(&template(256, width))).collect();
        assert_eq!(plans.known.len(), PLANS_MAX);
        drop(held);
        for width in 10_000..10_000 + PLANS_MAX as u16 {
            plans.of(&template(256, width));
        }
        let kept = plans.known.len();
        assert!(
            kept < PLANS_MAX,
            "what nobody uses goes when room is needed: {kept}"
        );
    }
}
