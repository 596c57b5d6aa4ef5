//! Weights of the base model that an adapter folder brings along: saved modules and embeddings, biases, rows of tokens.

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};

use super::PeftConfig;
use crate::lora::{LoraError, NamedTensors, PEFT_PREFIX, ends_in};
use crate::matrix::{Matrix, cast_if_needed, frozen};
use crate::model::{HEAD, Model, host};
use crate::parts::WeightMut;

/// The end of the name of rows of an embedding.
const ROWS: &str = ".token_adapter.trainable_tokens_delta";

impl Model {
    /// Puts weights of the file in the place of the model's; returns the other tensors.
    pub(super) fn with_whole_weights(
        &mut self,
        config: &PeftConfig,
        origin: &str,
        mut tensors: NamedTensors,
    ) -> Result<NamedTensors, LoraError> {
        let embedding = self.decoder().embedding().name.clone();
        let is_tied = self.is_tied();
        // A module that is saved is one of its own: `peft` unties it.
        if is_tied && !config.keeps_ties && (config.saves(&embedding) || config.saves(HEAD)) {
            self.untie();
        }
        for name in &config.saved {
            require_saved(name, origin, &tensors)?;
        }
        self.take_rows(config, origin, &mut tensors)?;
        let mut factors = NamedTensors::new();
        let mut tied = None;
        let mut has_embedding = false;
        for (name, (shape, values)) in tensors {
            let plain = name.strip_prefix(PEFT_PREFIX).unwrap_or(&name);
            if plain == format!("{HEAD}.weight") && self.is_tied() {
                tied = Some((name, shape, values));
            } else if plain.contains(".lora_") || !self.has_weight(plain) {
                factors.insert(name, (shape, values));
            } else {
                has_embedding |= plain == format!("{embedding}.weight");
                self.replace(plain, (&shape, values))
                    .map_err(|problem| error(origin, &name, problem))?;
            }
        }
        if let Some((name, shape, values)) = tied {
            let embedding = format!("{embedding}.weight");
            match has_embedding {
                true => self.validate_tied(&embedding, &values),
                false => self.replace(&embedding, (&shape, values)),
            }
            .map_err(|problem| error(origin, &name, problem))?;
        }
        Ok(factors)
    }

    fn has_weight(&mut self, name: &str) -> bool {
        let parts = self.parts_mut().into_iter();
        parts.filter_map(|part| part.weight(name)).next().is_some()
    }

    /// A saved head of a model whose head is the embedding must be that.
    fn validate_tied(&self, embedding: &str, values: &[f32]) -> Result<(), String> {
        let matrix = &self.decoder().embedding().weight;
        match host(matrix.tensor(&self.device())) == values {
            true => Ok(()),
            false => Err(format!(
                "it differs from {embedding}, and this model ties the two; name both in `modules_to_save`, or merge the adapters in Python"
            )),
        }
    }

    /// Puts numbers in the place of a weight or bias.
    fn replace(&mut self, name: &str, (shape, values): (&[usize], Vec<f32>)) -> Result<(), String> {
        let device = self.device();
        let mut parts = self.parts_mut().into_iter();
        match parts.find_map(|part| part.weight(name)) {
            Some(WeightMut::Matrix(matrix)) => {
                let found = matrix.shape();
                fits(shape, &found)?;
                let tensor = tensor(values, found, matrix.dtype(), &device);
                *matrix = Matrix::dense(tensor);
                Ok(())
            }
            Some(WeightMut::Vector(vector)) => {
                let found: [usize; 1] = vector.val().dims();
                fits(shape, &found)?;
                let dtype = vector.val().dtype();
                replace_vector(vector, tensor(values, found, dtype, &device));
                Ok(())
            }
            None => Err("this model has no place for it".into()),
        }
    }

    /// Takes rows of embeddings (`trainable_token_indices`) out of `tensors`.
    fn take_rows(
        &mut self,
        config: &PeftConfig,
        origin: &str,
        tensors: &mut NamedTensors,
    ) -> Result<(), LoraError> {
        let embedding = self.decoder().embedding().name.clone();
        for (named, rows) in &config.token_rows {
            let named = if named.is_empty() { &embedding } else { named };
            let modules = [embedding.as_str(), HEAD];
            let module = modules.into_iter().find(|module| ends_in(module, named));
            let module = module.unwrap_or(named);
            let name = format!("{PEFT_PREFIX}{module}{ROWS}");
            let Some((shape, values)) = tensors.remove(&name) else {
                let problem = "missing, though `trainable_token_indices` names its module";
                return Err(error(origin, &name, problem.into()));
            };
            self.replace_rows(&format!("{module}.weight"), rows, (&shape, &values))
                .map_err(|problem| error(origin, &name, problem))?;
        }
        Ok(())
    }

    fn replace_rows(
        &mut self,
        name: &str,
        rows: &[usize],
        (shape, values): (&[usize], &[f32]),
    ) -> Result<(), String> {
        let device = self.device();
        let mut parts = self.parts_mut().into_iter();
        let Some(WeightMut::Matrix(matrix)) = parts.find_map(|part| part.weight(name)) else {
            return Err("this model has no such embedding".into());
        };
        let [count, d] = matrix.shape();
        fits(shape, &[rows.len(), d])?;
        let mut all = host(matrix.tensor(&device));
        for (row, new) in rows.iter().zip(values.chunks_exact(d.max(1))) {
            let Some(old) = all.get_mut(row * d..(row + 1) * d) else {
                return Err(format!("token {row} is none of the model's {count}"));
            };
            old.copy_from_slice(new);
        }
        let tensor = tensor(all, [count, d], matrix.dtype(), &device);
        *matrix = Matrix::dense(tensor);
        Ok(())
    }
}

/// That the file has something of a module that is saved.
fn require_saved(name: &str, origin: &str, tensors: &NamedTensors) -> Result<(), LoraError> {
    let has = tensors.keys().any(|tensor| {
        let module = tensor.rsplit_once('.').map_or("", |(module, _)| module);
        module.ends_with(name) || tensor.contains(&format!("{name}."))
    });
    match has {
        true => Ok(()),
        false => {
            let problem = "missing, though `modules_to_save` names it";
            Err(error(origin, name, problem.into()))
        }
    }
}

fn fits(found: &[usize], expected: &[usize]) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!(
            "found shape {found:?}, the model's is {expected:?}: the adapters belong to a model of another vocabulary or width"
        )),
    }
}

fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    let tensor = Tensor::from_data(TensorData::new(values, shape), (device, DType::F32));
    cast_if_needed(tensor, dtype)
}

fn replace_vector(vector: &mut Param<Tensor<1>>, value: Tensor<1>) {
    *vector = frozen(value);
}

fn error(origin: &str, tensor: &str, problem: String) -> LoraError {
    LoraError::Tensor {
        file: origin.into(),
        tensor: tensor.into(),
        problem,
    }
}
