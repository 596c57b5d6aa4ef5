//! Adapters onto a model and off it again.

use burn::module::ParamId;
use burn::tensor::{Device, Tensor};
use rand::Rng;
use rayon::prelude::*;

use super::adapter::{Numbers, Place};
use super::rules::{Kind, Rules, Shape};
use super::{Lora, LoraConfig, LoraError, LoraInit, NamedTensors, PEFT_PREFIX, names, pissa};
use crate::device::is_cpu;
use crate::matrix::Matrix;
use crate::model::{HEAD, Model, host};
use crate::parts::{Part, PartMut};
use crate::random::{named_rng, normal};

/// Where that is found which PiSSA took away of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// In the tensors, behind the factors, as [`Model::adapter_tensors`] writes it.
    InTensors,
    /// In the weight, from which it is taken again, as `peft` does when it opens such a folder.
    InWeight,
}

/// One module that can carry an adapter.
struct Slot<'a> {
    module: String,
    kind: Kind,
    weight: Matrix,
    device: Device,
    lora: &'a mut Option<Lora>,
}

impl<'a> Slot<'a> {
    /// Its module, and what it is.
    fn named(&self) -> (&str, Kind) {
        (&self.module, self.kind)
    }

    /// None where the module carries no adapter. `table` is the matrix of the embedding.
    fn new(module: PartMut<'a>, table: &Matrix, device: &Device) -> Option<Self> {
        let (name, kind, weight, lora) = match module {
            PartMut::Linear(part) => (&part.name, Kind::Linear, &part.weight, &mut part.lora),
            PartMut::Embedding(part) => (&part.name, Kind::Embedding, &part.weight, &mut part.lora),
            PartMut::Head(part) => {
                let weight = part.weight.as_ref().unwrap_or(table);
                (&part.name, Kind::Head, weight, &mut part.lora)
            }
            PartMut::RmsNorm(_) | PartMut::LayerNorm(_) => return None,
        };
        Some(Self {
            module: name.clone(),
            kind,
            weight: weight.clone(),
            device: device.clone(),
            lora,
        })
    }

    /// `[d_in, d_out]`; for an embedding `[vocab, d]`.
    fn sides(&self) -> [usize; 2] {
        self.kind.sides(self.weight.shape())
    }

    fn attach(&mut self, shape: Shape, numbers: Numbers) {
        let place = Place {
            module: &self.module,
            kind: self.kind,
            weight: &self.weight,
            device: &self.device,
        };
        *self.lora = Some(Lora::new(&place, shape, numbers));
    }

    /// Whether PiSSA takes something of the weight: not of a table, as in `peft`.
    fn gives_up(&self, config: &LoraConfig) -> bool {
        config.init_lora_weights == LoraInit::Pissa && self.kind != Kind::Embedding
    }

    /// Refuses a shape that PiSSA cannot begin with.
    fn validate_principal(&self, shape: Shape) -> Result<(), LoraError> {
        let [d_in, d_out] = self.sides();
        if shape.rank > d_in.min(d_out) {
            return Err(LoraError::Target {
                target: self.module.clone(),
                problem: format!(
                    "its weight of {d_out} x {d_in} has no {} singular values to begin with (init_lora_weights = \"pissa\")",
                    shape.rank
                ),
            });
        }
        if shape.scale <= 0.0 {
            return Err(LoraError::Target {
                target: self.module.clone(),
                problem: format!(
                    "its scale is {}, and PiSSA begins with roots of it (init_lora_weights = \"pissa\")",
                    shape.scale
                ),
            });
        }
        Ok(())
    }

    /// The weight's largest singular values and vectors as factors, and the same with the other sign.
    fn principal(&self, shape: Shape, care: pissa::Care) -> Result<[[Vec<f32>; 2]; 2], LoraError> {
        self.validate_principal(shape)?;
        let [a, b] = pissa::factors(self.weight.tensor(&self.device), shape, care);
        let negative = b.iter().map(|value| -value).collect();
        Ok([[a.clone(), b], [a, negative]])
    }

    /// New factors. `peft`'s initialisation: A uniform within `1 / sqrt(d_in)` and B zero; for an embedding A zero and B normal.
    fn initial(&self, rank: usize, seed: u64) -> [Vec<f32>; 2] {
        let [d_in, d_out] = self.sides();
        let mut rng = named_rng(seed, &self.module);
        if self.kind == Kind::Embedding {
            let b = (0..rank * d_out).map(|_| normal(&mut rng)).collect();
            [vec![0.0; d_in * rank], b]
        } else {
            let bound = 1.0 / (d_in as f32).sqrt();
            let a = (0..d_in * rank)
                .map(|_| rng.random_range(-bound..bound))
                .collect();
            [a, vec![0.0; rank * d_out]]
        }
    }

    /// What a new adapter begins with.
    fn start(&self, config: &LoraConfig, shape: Shape, seed: u64) -> Result<Numbers, LoraError> {
        let (factors, taken) = match self.gives_up(config) {
            true => {
                let [factors, taken] = self.principal(shape, pissa::START)?;
                (factors, Some(taken))
            }
            false => (self.initial(shape.rank, seed), None),
        };
        Ok(Numbers {
            factors,
            taken,
            magnitude: config.use_dora.then_some(None),
        })
    }

    /// The numbers of an adapter that a file has.
    fn read(
        &self,
        config: &LoraConfig,
        shape: Shape,
        taken: Taken,
        file: &mut File<'_>,
    ) -> Result<Numbers, LoraError> {
        let [d_in, d_out] = self.sides();
        let [a_name, b_name] = peft_names(&self.module, self.kind);
        let behind = self.gives_up(config) && taken == Taken::InTensors;
        let rank = shape.rank * (1 + usize::from(behind));
        let mut a = file.take(&a_name, &[rank, d_in])?;
        let b = file.take(&b_name, &[d_out, rank])?;
        let mut b = transposed(&b, d_out, rank);
        let a_taken = a.split_off(shape.rank * d_in);
        let b_taken = b.split_off(shape.rank * d_out);
        let columns = |a: &[f32]| transposed(a, shape.rank, d_in);
        let taken = match (self.gives_up(config), behind) {
            (false, _) => None,
            (true, true) => Some([columns(&a_taken), b_taken]),
            (true, false) => Some(self.principal(shape, pissa::AGAIN)?[1].clone()),
        };
        let magnitude = match config.use_dora {
            true => Some(Some(file.take(&magnitude_name(&self.module), &[d_out])?)),
            false => None,
        };
        Ok(Numbers {
            factors: [columns(&a), b],
            taken,
            magnitude,
        })
    }
}

/// Tensors of a file, some of them taken already.
struct File<'a> {
    origin: &'a str,
    tensors: NamedTensors,
}

impl File<'_> {
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoraError> {
        match self.tensors.remove(name) {
            Some((found, values)) if found == shape => Ok(values),
            Some((found, _)) => Err(self.error(
                name,
                format!("found shape {found:?}, expected {shape:?} by the configuration's ranks"),
            )),
            None => {
                let problem = "missing, though the configuration targets its module";
                Err(self.error(name, problem.into()))
            }
        }
    }

    fn error(&self, tensor: &str, problem: String) -> LoraError {
        LoraError::Tensor {
            file: self.origin.into(),
            tensor: tensor.into(),
            problem,
        }
    }
}

/// The names of the two factors of a module in a PEFT file.
fn peft_names(module: &str, kind: Kind) -> [String; 2] {
    let names = match kind {
        Kind::Embedding => ["lora_embedding_A", "lora_embedding_B"],
        Kind::Linear | Kind::Head => ["lora_A.weight", "lora_B.weight"],
    };
    names.map(|name| format!("{PEFT_PREFIX}{module}.{name}"))
}

/// The name of the magnitudes of a module in a PEFT file.
fn magnitude_name(module: &str) -> String {
    format!("{PEFT_PREFIX}{module}.lora_magnitude_vector")
}

impl Model {
    /// The modules that can carry an adapter, with the head, be it the embedding's matrix or not.
    fn slots(&mut self) -> Vec<Slot<'_>> {
        self.show_head();
        let device = self.device();
        let table = self.decoder().embedding().weight.clone();
        self.parts_mut()
            .into_iter()
            .filter_map(|module| Slot::new(module, &table, &device))
            .collect()
    }

    /// The adapters by module.
    pub(crate) fn adapters(&self) -> impl Iterator<Item = (&str, Kind, &Lora)> {
        self.parts().into_iter().filter_map(|part| {
            let (kind, lora) = part.adapter()?;
            Some((part.name(), kind, lora.as_ref()?))
        })
    }

    /// Attaches new adapters, initialised as `peft` does (the model's output is unchanged), and freezes the rest.
    ///
    /// # Errors
    /// A rank of zero, a dropout outside `[0, 1)`, targets that match nothing, or one of several names that matches nothing.
    pub fn with_lora(self, config: &LoraConfig, seed: u64) -> Result<Self, LoraError> {
        let rules = config.rules()?;
        let mut model = self.frozen();
        let on_cpu = is_cpu(&model.device());
        let wanted = names::wanted_anew(&rules, model.slots(), Slot::named)?;
        tell_of_pissa(config, &wanted);
        let start = |(slot, shape): &(Slot<'_>, Shape)| slot.start(config, *shape, seed);
        let numbers: Vec<_> = match on_cpu {
            true => wanted.par_iter().map(start).collect(),
            false => wanted.iter().map(start).collect(),
        };
        for ((mut slot, shape), numbers) in wanted.into_iter().zip(numbers) {
            slot.attach(shape, numbers?);
        }
        model.hide_head();
        Ok(model)
    }

    /// What [`with_lora`](Self::with_lora) would refuse, without the work.
    ///
    /// # Errors
    /// As there.
    pub fn validate_lora(mut self, config: &LoraConfig) -> Result<(), LoraError> {
        let rules = config.rules()?;
        for (slot, shape) in names::wanted_anew(&rules, self.slots(), Slot::named)? {
            if slot.gives_up(config) {
                slot.validate_principal(shape)?;
            }
        }
        Ok(())
    }

    /// Whether new adapters of these settings are those of the embedding alone.
    ///
    /// # Errors
    /// Settings out of range.
    pub fn adapts_embedding_alone(&self, config: &LoraConfig) -> Result<bool, LoraError> {
        let rules = config.rules()?;
        let parts = self.parts().into_iter();
        let modules = parts.filter_map(|part| Some((part.name(), part.adapter()?.0)));
        let mut alone = false;
        // A tied head is no part of its own.
        for (module, kind) in modules.chain([(HEAD, Kind::Head)]) {
            match rules.shape(module, kind)?.map(|_| kind) {
                None => {}
                Some(Kind::Embedding) => alone = true,
                Some(Kind::Linear | Kind::Head) => return Ok(false),
            }
        }
        Ok(alone)
    }

    /// The adapters as PEFT tensors: name, shape, values. `A` is `[r, d_in]` and `B` is `[d_out, r]`. What PiSSA takes of a weight
    /// is written behind them as so many ranks more, so that they are plain adapters of the model as it was.
    pub fn adapter_tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let mut tensors = Vec::new();
        for (module, kind, lora) in self.adapters() {
            for (name, factor) in peft_names(module, kind).into_iter().zip(lora.factors()) {
                let value = factor.transpose();
                tensors.push((name, value.dims().to_vec(), host(value)));
            }
            if let Some(magnitude) = lora.magnitude() {
                let value: Tensor<1> = magnitude.val();
                let shape = value.dims().to_vec();
                tensors.push((magnitude_name(module), shape, host(value)));
            }
        }
        tensors
    }

    /// Attaches adapters with the given values, as [`Model::adapter_tensors`] returns them.
    ///
    /// # Errors
    /// A tensor that is missing, left over, or of another shape; `origin` names the file in the message.
    pub fn with_adapter_tensors(
        self,
        config: &LoraConfig,
        origin: &str,
        tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
    ) -> Result<Self, LoraError> {
        let tensors = tensors
            .into_iter()
            .map(|(name, shape, values)| (name, (shape, values)))
            .collect();
        self.with_factors(&config.rules()?, origin, tensors, Taken::InTensors)
    }

    /// Attaches the adapters that `rules` ask for; every tensor must belong to one.
    pub(crate) fn with_factors(
        self,
        rules: &Rules,
        origin: &str,
        tensors: NamedTensors,
        taken: Taken,
    ) -> Result<Self, LoraError> {
        let mut model = self.frozen();
        let mut file = File { origin, tensors };
        let wanted = names::wanted(rules, model.slots(), Slot::named)?;
        if taken == Taken::InWeight {
            tell_of_pissa(&rules.config, &wanted);
        }
        for (mut slot, shape) in wanted {
            let numbers = slot.read(&rules.config, shape, taken, &mut file)?;
            slot.attach(shape, numbers);
        }
        if let Some(name) = file.tensors.keys().next() {
            return Err(file.error(name, model.no_place(name)));
        }
        model.hide_head();
        Ok(model)
    }

    /// Why a tensor of an adapter file belongs nowhere.
    fn no_place(&self, name: &str) -> String {
        let (module, _) = name.split_once(".lora_").unwrap_or((name, ""));
        let module = module.strip_prefix(PEFT_PREFIX).unwrap_or(module);
        let part = self.parts().into_iter().find(|part| part.name() == module);
        match part {
            Some(Part::Linear(_) | Part::Embedding(_) | Part::Head(_)) => {
                "the configuration does not target its module".into()
            }
            _ => "this model has no place for it".into(),
        }
    }

    /// Whether a training forward pass draws random numbers.
    pub fn has_dropout(&self) -> bool {
        self.adapters().any(|(_, _, lora)| lora.drops())
    }

    /// The number of adapter weights that are trained.
    pub fn num_adapter_params(&self) -> usize {
        self.adapters().map(|(_, _, lora)| lora.num_trained()).sum()
    }

    /// Computes what DoRA divides by once, where nothing is trained any more: else every forward pass does, for each token written.
    #[must_use]
    pub fn with_norms_kept(mut self) -> Self {
        for slot in self.slots() {
            if let Some(lora) = slot.lora {
                lora.keep_share(&slot.weight, slot.kind);
            }
        }
        self.hide_head();
        self
    }

    /// The parameters that [`LoraConfig::loraplus_lr_ratio`] is for: every B but those of embeddings, and magnitudes.
    pub fn loraplus_params(&self) -> Vec<ParamId> {
        let of_linear = |(_, kind, lora): (_, Kind, &Lora)| {
            let b = (kind != Kind::Embedding).then_some(lora.b.id);
            b.into_iter().chain(lora.magnitude().map(|value| value.id))
        };
        self.adapters().flat_map(of_linear).collect()
    }
}

/// Says what takes time where PiSSA decomposes weights.
fn tell_of_pissa(config: &LoraConfig, wanted: &[(Slot<'_>, Shape)]) {
    let weights = wanted.iter().filter(|(slot, _)| slot.gives_up(config));
    let count = weights.count();
    if count > 0 {
        tracing::info!(
            "PiSSA: looking for the largest singular vectors of {count} weights (rank {})",
            config.rank
        );
    }
}

/// `[rows, columns]` row by row to `[columns, rows]` row by row.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|c| (0..rows).map(move |r| values[r * columns + c]))
        .collect()
}
