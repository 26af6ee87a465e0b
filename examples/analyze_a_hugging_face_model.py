"""Which tokens does a model's position encoding turn into other tokens?

    python examples/analyze_a_hugging_face_model.py path/to/model     # a folder or .safetensors
    python examples/analyze_a_hugging_face_model.py                   # a small BERT, random weights

The count is exact: every (token, position) pair is decided, beside codes that know nothing of the
tokens and the change that takes most flips away. Nothing is unpickled.
"""

import argparse

import orthogan as og


def small_bert():
    """A BERT with random weights, as transformers builds it: nothing is downloaded."""
    from transformers import BertConfig, BertModel

    return BertModel(
        BertConfig(
            vocab_size=500,
            hidden_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=96,
            max_position_embeddings=64,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?")
    asked = parser.parse_args()
    found = og.analyze(asked.model or small_bert())
    counted = found.flip_count
    print(
        f"{counted.kept:.2%} of the (token, position) pairs keep their token; {counted.flips} flip"
    )
    for name, control in found.controls.items():
        print(f"  {name}: {control.kept:.2%}")
    for note in found.notes:
        print(note)


if __name__ == "__main__":
    main()
