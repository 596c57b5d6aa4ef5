//! Modules with the weights of a file, or with initial ones.

use burn::module::Param;
use burn::nn;
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};

use crate::linear::{Embedding, Head, Linear};
use crate::matrix::{Matrix, are_enough, cast_if_needed, frozen, settle};
use crate::model::Precision;
use crate::norm::{LayerNorm, RmsNorm};
use crate::outline::Shapes;
use crate::parts::{PartMut, Parts};
use crate::random::{named_rng, normal};
use crate::weights::{WeightError, WeightSource};

/// Makes modules of named weights, all frozen, of one precision and on one device. Every method fails where a tensor is
/// missing, unreadable or of another shape.
#[derive(Clone)]
pub(crate) struct Loader<'a> {
    from: Origin<'a>,
    precision: Precision,
    device: Device,
    /// In front of every name.
    prefix: String,
}

/// Where weights come from.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Files(&'a dyn WeightSource),
    /// Numbers that mean nothing, drawn on the device.
    Noise,
    /// Nowhere: only their shapes are noted.
    Shapes(&'a Shapes),
    /// Initial values of a model that is made from scratch: a pure function of seed and name.
    Random(u64),
}

/// Initial values.
#[derive(Clone, Copy)]
enum Initial {
    /// All the same.
    Constant(f32),
    /// Zeros, to which one is added: weights that may have zeros only.
    AroundOne,
    /// From `N(0, std^2)`.
    Normal { std: f32 },
}

/// Initial values of embeddings.
const EMBEDDINGS: Initial = Initial::Normal { std: 0.05 };

impl<'a> Loader<'a> {
    /// Reads from `source`.
    pub(crate) fn of_files(
        source: &'a dyn WeightSource,
        precision: Precision,
        device: &Device,
    ) -> Self {
        Self::new(Origin::Files(source), precision, device)
    }

    /// Makes initial values, in f32.
    pub(crate) fn random(seed: u64, device: &Device) -> Self {
        let precision = Precision::Dense(DType::F32);
        Self::new(Origin::Random(seed), precision, device)
    }

    /// Draws on the device, in no order that could be repeated.
    pub(crate) fn noise(precision: Precision, device: &Device) -> Self {
        Self::new(Origin::Noise, precision, device)
    }

    /// Notes the shape of every tensor that is asked for, and makes one number of each.
    pub(crate) fn of_shapes(shapes: &'a Shapes, device: &Device) -> Self {
        Self::new(Origin::Shapes(shapes), Precision::Dense(DType::F32), device)
    }

    fn new(from: Origin<'a>, precision: Precision, device: &Device) -> Self {
        Self {
            from,
            precision,
            device: device.clone(),
            prefix: String::new(),
        }
    }

    /// Blocks, for each of which `load` gets a loader whose names begin with `blocks` and a number. Their matrices are put
    /// side by side in memory.
    pub(crate) fn blocks<B: Parts>(
        &self,
        blocks: &str,
        count: usize,
        load: impl Fn(&Self) -> Result<B, WeightError>,
    ) -> Result<Vec<B>, WeightError> {
        let mut loaded = Vec::with_capacity(count);
        let mut settled = 0;
        for i in 0..count {
            let prefix = format!("{blocks}.{i}.");
            loaded.push(load(&Self {
                prefix,
                ..self.clone()
            })?);
            let mut loose = Vec::new();
            for block in &mut loaded[settled..] {
                block.parts_mut(&mut loose);
            }
            let loose: Vec<_> = loose.into_iter().filter_map(PartMut::matrix).collect();
            if i + 1 == count || are_enough(&loose) {
                settle(loose);
                settled = i + 1;
            }
        }
        Ok(loaded)
    }

    /// Where the weights go.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// A table `[vocab, d]`.
    pub(crate) fn embedding(
        &self,
        name: &str,
        shape: [usize; 2],
    ) -> Result<Embedding, WeightError> {
        let name = self.full(name);
        let mut weight = self.matrix(&name, shape, EMBEDDINGS)?;
        settle(vec![&mut weight]);
        Ok(Embedding {
            weight,
            lora: None,
            scale: None,
            name,
        })
    }

    /// A layer of the weights `[d_out, d_in]`, without bias.
    pub(crate) fn linear(&self, name: &str, shape: [usize; 2]) -> Result<Linear, WeightError> {
        let name = self.full(name);
        Ok(Linear {
            weight: self.linear_weight(&name, shape)?,
            bias: None,
            lora: None,
            name,
        })
    }

    /// The same with a bias, `[d_out]`.
    pub(crate) fn linear_with_bias(
        &self,
        name: &str,
        shape: [usize; 2],
    ) -> Result<Linear, WeightError> {
        let mut linear = self.linear(name, shape)?;
        linear.bias = Some(self.bias(&linear.name, shape[1])?);
        Ok(linear)
    }

    /// A head of the weights `[vocab, d]`, without bias.
    pub(crate) fn head(&self, name: &str, shape: [usize; 2]) -> Result<Head, WeightError> {
        let name = self.full(name);
        let mut weight = self.linear_weight(&name, shape)?;
        settle(vec![&mut weight]);
        Ok(Head {
            weight: Some(weight),
            bias: None,
            lora: None,
            name,
        })
    }

    /// The same with a bias, `[vocab]`.
    pub(crate) fn head_with_bias(
        &self,
        name: &str,
        shape: [usize; 2],
    ) -> Result<Head, WeightError> {
        let mut head = self.head(name, shape)?;
        head.bias = Some(self.bias(&head.name, shape[1])?);
        Ok(head)
    }

    /// A norm of `d` numbers.
    pub(crate) fn rms_norm(
        &self,
        name: &str,
        d: usize,
        epsilon: f64,
    ) -> Result<RmsNorm, WeightError> {
        let name = self.full(name);
        Ok(RmsNorm {
            gamma: self.gamma(&name, d)?,
            epsilon,
            above_one: false,
            name,
        })
    }

    /// The same of a family whose norms multiply by one more than their weights.
    pub(crate) fn rms_norm_above_one(
        &self,
        name: &str,
        d: usize,
        epsilon: f64,
    ) -> Result<RmsNorm, WeightError> {
        let name = self.full(name);
        let weight = format!("{name}.weight");
        Ok(RmsNorm {
            gamma: frozen(self.tensor(&weight, [d], Initial::AroundOne)?),
            epsilon,
            above_one: true,
            name,
        })
    }

    /// A norm of `d` numbers with a bias.
    pub(crate) fn layer_norm(
        &self,
        name: &str,
        d: usize,
        epsilon: f64,
    ) -> Result<LayerNorm, WeightError> {
        let name = self.full(name);
        let norm = nn::LayerNormConfig::new(d).with_epsilon(epsilon);
        let mut norm = norm.init(&self.device);
        norm.gamma = self.gamma(&name, d)?;
        norm.beta = Some(self.bias(&name, d)?);
        Ok(LayerNorm { norm, name })
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn linear_weight(&self, name: &str, [d_in, d_out]: [usize; 2]) -> Result<Matrix, WeightError> {
        let std = 1.0 / (d_in.max(1) as f32).sqrt();
        self.matrix(name, [d_out, d_in], Initial::Normal { std })
    }

    fn gamma(&self, module: &str, d: usize) -> Result<Param<Tensor<1>>, WeightError> {
        let name = format!("{module}.weight");
        Ok(frozen(self.tensor(&name, [d], Initial::Constant(1.0))?))
    }

    fn bias(&self, module: &str, d: usize) -> Result<Param<Tensor<1>>, WeightError> {
        let name = format!("{module}.bias");
        Ok(frozen(self.tensor(&name, [d], Initial::Constant(0.0))?))
    }

    fn matrix(
        &self,
        module: &str,
        shape: [usize; 2],
        initial: Initial,
    ) -> Result<Matrix, WeightError> {
        let name = format!("{module}.weight");
        if let (Origin::Files(source), Precision::Stored) = (self.from, self.precision) {
            validate_shape(source, &name, &shape)?;
            if let Some(stored) = source.stored(&name)? {
                if let Some(at) = stored.not_finite() {
                    let mut row = vec![0.0; shape[1]];
                    stored.rows(at / shape[1], &mut row);
                    let column = at % shape[1];
                    let value = row[column..].iter().find(|value| !value.is_finite());
                    let value = value.copied().unwrap_or(f32::NAN);
                    return Err(WeightError::not_finite(source.path(), &name, at, value));
                }
                let mut row = vec![0.0; shape[1]];
                let is_zero = |at: usize| {
                    stored.rows(at, &mut row);
                    row.iter().all(|value| *value == 0.0)
                };
                if (0..shape[0]).all(is_zero) {
                    validate_zeros(source, &name)?;
                }
                return Ok(Matrix::stored(stored));
            }
        }
        Ok(Matrix::plain(self.tensor(&name, shape, initial)?))
    }

    fn tensor<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        initial: Initial,
    ) -> Result<Tensor<D>, WeightError> {
        let values = match self.from {
            Origin::Files(source) => {
                validate_shape(source, name, &shape)?;
                let values = source.read(name)?;
                self.validate_numbers(source, name, &values)?;
                let may_be_zeros =
                    matches!(initial, Initial::AroundOne) || !name.ends_with(".weight");
                if !may_be_zeros && values.iter().all(|value| *value == 0.0) {
                    validate_zeros(source, name)?;
                }
                values
            }
            Origin::Noise => {
                let noise = initial.drawn(shape, &self.device);
                return Ok(cast_if_needed(noise, self.precision.dtype()));
            }
            Origin::Shapes(shapes) => {
                shapes.borrow_mut().insert(name.to_owned(), shape.to_vec());
                return Ok(Tensor::zeros([1; D], &self.device));
            }
            Origin::Random(seed) => initial.values(name, shape.iter().product(), seed),
        };
        let tensor = Tensor::from_data(TensorData::new(values, shape), (&self.device, DType::F32));
        Ok(cast_if_needed(tensor, self.precision.dtype()))
    }

    /// Refuses numbers that are none, and those that the type they are to have cannot hold.
    fn validate_numbers(
        &self,
        source: &dyn WeightSource,
        name: &str,
        values: &[f32],
    ) -> Result<(), WeightError> {
        let Some((at, value)) = first_beyond(values, self.precision.dtype()) else {
            return Ok(());
        };
        match value.is_finite() {
            false => Err(WeightError::not_finite(source.path(), name, at, value)),
            true => Err(WeightError::Number {
                file: source.path().to_owned(),
                name: name.to_owned(),
                at,
                value,
                problem: "16-bit floats (f16) end at 65504: use bf16 or f32",
            }),
        }
    }
}

/// What blocks add to the stream goes through these.
const OUTPUTS: [&str; 4] = [
    ".o_proj.weight",
    ".down_proj.weight",
    ".out_proj.weight",
    ".fc_out.weight",
];

/// Refuses weights of zeros only, as a checkpoint has that was not saved as a whole. A block that adds nothing is told only: models
/// are made deeper with such blocks (LLaMA Pro, arXiv 2401.02415).
fn validate_zeros(source: &dyn WeightSource, name: &str) -> Result<(), WeightError> {
    if OUTPUTS.iter().any(|end| name.ends_with(end)) {
        tracing::warn!(
            "{}: tensor `{name}` has zeros only: its block adds nothing",
            source.path().display()
        );
        return Ok(());
    }
    let item = format!("tensor `{name}`");
    let expected = "numbers that were trained: weights that were not saved as a whole have zeros, get or make them anew";
    Err(WeightError::malformed(
        source.path(),
        item,
        "zeros only",
        expected,
    ))
}

/// The largest half.
const LARGEST_HALF: f32 = 65504.0;

/// The largest of the numbers without their signs; infinite or NaN where one of them is. The bits of such floats are in the
/// order of their values, and their maximum is vector code.
fn largest_magnitude(values: &[f32]) -> f32 {
    const SIGN: u32 = 1 << 31;
    let bits = values
        .iter()
        .fold(0, |most: u32, value| most.max(value.to_bits() & !SIGN));
    f32::from_bits(bits)
}

impl Initial {
    /// The same, but drawn where the tensor is to be.
    fn drawn<const D: usize>(self, shape: [usize; D], device: &Device) -> Tensor<D> {
        match self {
            Self::Constant(value) => Tensor::full(shape, value, (device, DType::F32)),
            Self::AroundOne => Tensor::zeros(shape, (device, DType::F32)),
            Self::Normal { std } => {
                let normal = Distribution::Normal(0.0, f64::from(std));
                Tensor::random(shape, normal, (device, DType::F32))
            }
        }
    }

    fn values(self, name: &str, count: usize, seed: u64) -> Vec<f32> {
        match self {
            Self::Constant(value) => vec![value; count],
            Self::AroundOne => vec![0.0; count],
            Self::Normal { std } => {
                let mut rng = named_rng(seed, name);
                (0..count).map(|_| std * normal(&mut rng)).collect()
            }
        }
    }
}

/// The first number that is none or that the type it is to have cannot hold, with its place.
pub(crate) fn first_beyond(values: &[f32], dtype: DType) -> Option<(usize, f32)> {
    let most = match dtype {
        DType::F16 => LARGEST_HALF,
        _ => f32::MAX,
    };
    if largest_magnitude(values) <= most {
        return None;
    }
    let beyond = |value: f32| value.is_nan() || value.abs() > most;
    let mut numbered = values.iter().copied().enumerate();
    numbered.find(|(_, value)| beyond(*value))
}

/// Refuses a tensor of another shape.
pub(crate) fn validate_shape(
    source: &dyn WeightSource,
    name: &str,
    shape: &[usize],
) -> Result<(), WeightError> {
    let found = source.shape(name)?;
    if found == shape {
        return Ok(());
    }
    Err(WeightError::malformed(
        source.path(),
        format!("tensor `{name}`"),
        format!("shape {found:?}"),
        format!("{shape:?}"),
    ))
}
