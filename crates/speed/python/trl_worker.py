"""The other side of `cargo xtask bench trl`: PyTorch, transformers, peft, TRL and llama.cpp on the same model and token ids.

    python trl_worker.py KIND FOLDER [--steps N] [--batch N] [--dtype float32|bfloat16]

KIND is `vanilla`, `pdpo`, `decode`, `llama-cpp` or `matmul`; FOLDER is what `speed` writes: `model/` (a Hugging
Face directory), `stored.gguf` (the file it comes from), `comparisons.jsonl` and `prompts.json`. A line on standard
output says what was made ready. Then each line on standard input asks for one round of work and is answered by one line of figures; the end of input ends the program.
Answers are JSON objects; other lines are noise of the packages.

TRL has no personalised loss, so `pdpo` trains on two copies of every comparison, which is the least that its two
branches cost: the user's soft tokens are left out in TRL's favour.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import torch
import transformers


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["vanilla", "pdpo", "decode", "llama-cpp", "matmul"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    if args.kind == "matmul":
        rounds(matmul)
    elif args.kind == "decode":
        decode(args)
    elif args.kind == "llama-cpp":
        llama_cpp(args)
    else:
        train(args)


def answer(**figures):
    print(json.dumps(figures), flush=True)


def asked():
    """Waits for the next round; false at the end of input."""
    return bool(sys.stdin.readline())


def rounds(work):
    work()
    answer(ready=True, torch=torch.__version__, threads=torch.get_num_threads())
    reset_peak()
    while asked():
        answer(**work())


def train(args):
    """TRL's own training loop, held before each round. Its first step, before the first round, is a warm-up."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import DPOConfig, DPOTrainer

    class Rounds(transformers.TrainerCallback):
        done = 0

        def on_step_begin(self, _args, state, _control, **_):
            if state.global_step > 0 and self.done == 0:
                if not asked():
                    sys.exit()
                self.start = time.perf_counter()

        def on_step_end(self, _args, state, _control, **_):
            if state.global_step == 1:
                answer(ready=True, trl=__import__("trl").__version__, torch=torch.__version__)
                reset_peak()
                return
            self.done += 1
            if self.done == args.steps:
                seconds = time.perf_counter() - self.start
                answer(comparisons=args.steps * args.batch, seconds=seconds, peak_bytes=peak_bytes())
                self.done = 0

    class Trainer(DPOTrainer):
        def _prepare_dataset(self, dataset, *_):
            return dataset  # Token ids already, the same as ours.

        def _get_train_sampler(self, dataset=None):
            return torch.utils.data.SequentialSampler(dataset or self.train_dataset)

    copies = 2 if args.kind == "pdpo" else 1
    lines = (args.folder / "comparisons.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines][: args.steps * args.batch]
    ids = ["prompt_ids", "chosen_ids", "rejected_ids"]
    batches = [rows[i : i + args.batch] * copies for i in range(0, len(rows), args.batch)]
    trainer = Trainer(
        model=model(args),
        processing_class=transformers.AutoTokenizer.from_pretrained(args.folder / "model"),
        train_dataset=Dataset.from_list([{key: row[key] for key in ids} for batch in batches for row in batch]),
        peft_config=LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "k_proj", "v_proj"], task_type="CAUSAL_LM"),
        args=DPOConfig(
            output_dir=str(args.folder / "trl"),
            per_device_train_batch_size=args.batch,
            gradient_accumulation_steps=copies,
            max_steps=1_000_000,
            max_length=2048,
            learning_rate=5e-5,
            beta=0.1,
            precompute_ref_log_probs=True,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        callbacks=[Rounds()],
    )
    trainer.train()


def decode(args):
    """Greedy tokens per second after the prompts, without the time for the prompts themselves."""
    policy = model(args).eval()
    prompts = torch.tensor(json.loads((args.folder / "prompts.json").read_text()))
    new = 64

    def seconds(batch, count):
        ids = prompts[:batch]
        start = time.perf_counter()
        with torch.inference_mode():
            out = policy.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                min_new_tokens=count,
                max_new_tokens=count,
                pad_token_id=0,
            )
        assert out.shape[1] == ids.shape[1] + count
        return time.perf_counter() - start

    def work():
        speed = {f"batch_{b}": b * new / (seconds(b, new + 1) - seconds(b, 1)) for b in (1, 8)}
        return {**speed, "peak_bytes": peak_bytes()}

    rounds(work)


def llama_cpp(args):
    """Greedy tokens per second after the first prompt, with the weights as the file has them."""
    from llama_cpp import Llama

    [prompt, *_] = json.loads((args.folder / "prompts.json").read_text())
    new = 64
    threads = os.cpu_count()
    llama = Llama(
        str(args.folder / "stored.gguf"),
        n_ctx=len(prompt) + new + 1,
        n_threads=threads,
        n_threads_batch=threads,
        verbose=False,
    )

    def work():
        llama.reset()
        llama.eval(prompt)
        token = llama.sample(temp=0.0)
        start = time.perf_counter()
        for _ in range(new):
            llama.eval([token])
            token = llama.sample(temp=0.0)
        return {"batch_1": new / (time.perf_counter() - start), "peak_bytes": peak_bytes()}

    rounds(work)


def matmul():
    """The best rate over the shapes of a block, in floating-point operations per second."""
    best = 0.0
    for m, k, n in [(512, 576, 576), (512, 576, 1536), (512, 1536, 576)]:
        a, b = torch.rand(m, k), torch.rand(k, n)
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(10):
                a @ b
            best = max(best, 10 * 2 * m * k * n / (time.perf_counter() - start))
    return {"flops": best}


def model(args):
    dtype = getattr(torch, args.dtype)
    return transformers.AutoModelForCausalLM.from_pretrained(args.folder / "model", dtype=dtype)


def reset_peak():
    """Forgets what loading took, as ours does."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def peak_bytes():
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return 1024 * int(kib)


if __name__ == "__main__":
    main()
