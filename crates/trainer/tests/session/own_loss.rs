//! Losses of one's own, which need no reference or look at a whole batch.

use burn::tensor::Tensor;
use pdpo_loss::{LossError, Objective, PairLogProbs, PairLoss, Rewards};
use trainer::TrainError;
use trainer::config::TrainingSection;
use trainer::progress::Quiet;
use trainer::reference::Reference;
use trainer::task::Preference;

use crate::references::reference;
use crate::{session, session_of, training, unreferenced};

/// Prefers what the policy finds likelier by more than a token's worth, whatever a reference says.
#[derive(Debug)]
struct OwnLoss {
    over_the_batch: bool,
}

impl PairLoss for OwnLoss {
    fn losses(&self, pairs: &PairLogProbs) -> Result<Tensor<1>, LossError> {
        let policy = pairs.policy();
        let margins = policy.chosen.clone() - policy.rejected.clone();
        let target = match self.over_the_batch {
            true => margins.clone().mean().detach(),
            false => margins.clone().zeros_like().narrow(0, 0, 1),
        };
        Ok((margins - target - 1.0).square())
    }

    fn rewards(&self, pairs: &PairLogProbs) -> Result<Rewards, LossError> {
        Ok(Rewards::new(pairs.policy().clone(), 1.0))
    }

    fn needs_reference(&self) -> bool {
        false
    }

    fn needs_batch_statistics(&self) -> bool {
        self.over_the_batch
    }
}

fn own(over_the_batch: bool, reference: Option<Reference>) -> Preference {
    let objective = Objective::new(OwnLoss { over_the_batch }, 0.5).unwrap();
    Preference::new(objective, reference)
}

#[test]
fn a_loss_that_needs_no_reference_computes_and_stores_none() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(10));
    let reference = reference(&dir.path().join("reference"));
    let task = own(false, Some(reference.clone()));
    let data = (&train[..], &train[..2]);
    let session = session_of(dir.path(), task, training(), data, false).unwrap();
    let outcome = session.run(&mut Quiet).unwrap();
    assert_eq!((outcome.state.step, reference.known()), (6, 0));
    assert!(train.iter().all(|e| e.item.reference.get().is_none()));
    assert!(!dir.path().join("reference").exists());
}

#[test]
fn a_loss_that_needs_a_reference_says_so_where_there_is_none() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(10));
    let result = session(dir.path(), &train, &[], false).run(&mut Quiet);
    assert!(matches!(result, Err(TrainError::NoReference)));
}

#[test]
fn a_loss_over_its_whole_batch_refuses_to_be_cut_up() {
    let (dir, train) = (tempfile::tempdir().unwrap(), unreferenced(10));
    let with = |micro_rows, replicas| {
        let training = TrainingSection {
            micro_rows,
            replicas,
            ..training()
        };
        session_of(dir.path(), own(true, None), training, (&train, &[]), false)
    };
    let refusal = |micro_rows, replicas| with(micro_rows, replicas).err().unwrap().to_string();
    let message = refusal(7, 0);
    assert!(
        message.contains("`training.micro_rows` is 7, expected at least 8"),
        "{message}"
    );
    let message = refusal(8, 2);
    assert!(message.contains("`training.replicas` is 2"), "{message}");
    with(8, 0).unwrap().run(&mut Quiet).unwrap();
}
