//! Fits two users' rows so that their soft prompts match two targets; saves, loads, prints.
#![allow(clippy::print_stdout)]

use burn::tensor::{Device, Tensor};
use user_model::{
    Init, Moments, RowAdamW, RowGradients, UserModelConfig, UserModelKind, UserRef, UserTable,
    load, save,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kind = UserModelKind::Individual { generic: true };
    let config = UserModelConfig::new(kind, 1, 3).with_shared_init(Init::Uniform { range: 0.5 });
    let device = Device::flex().autodiff();
    let model = config.init(None, &device)?;
    let mut table = UserTable::new(config)?;
    for id in ["anna", "bob", "never seen"] {
        table.add(id);
    }

    let users = ["anna", "bob"].map(UserRef::id);
    let targets = Tensor::<3>::from_floats([[[1.0, 0.0, 0.0]], [[0.0, 0.0, -1.0]]], &device);
    for step in 0..=300 {
        let rows = table.batch(&users, &device)?;
        let loss = (model.soft_prompt(&rows) - targets.clone()).square().mean();
        let mut gradients = RowGradients::new();
        gradients.add(&rows, &loss.backward())?;
        table.step(&gradients, 2e-2, &RowAdamW::default())?;
        if step % 100 == 0 {
            println!("step {step}: loss {:.6}", loss.into_scalar::<f32>());
        }
    }

    let dir = tempfile::tempdir()?;
    save(dir.path(), &model, &table, Moments::Drop)?;
    let (model, table) = load(dir.path(), &Device::flex())?;
    println!("{} users known, {} rows", table.len(), table.touched());
    for user in [UserRef::id("anna"), UserRef::id("bob"), UserRef::Generic] {
        let rows = table.batch(std::slice::from_ref(&user), &Device::flex())?;
        println!("{user}: {:.3}", model.soft_prompt(&rows).to_data());
    }
    Ok(())
}
