"""Packaging of alexnet_tf; also what Beam's --setup_file installs on cluster workers.

Workers need neither the training part nor TensorFlow. `python -m preprocessing convert` sets
ALEXNET_TF_WORKER=1 while Beam packs; the package then holds `preprocessing` alone and asks for its
requirements alone. Unpacked on a worker it is known by the missing alexnet_tf.
"""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
FOR_WORKER = os.environ.get("ALEXNET_TF_WORKER") == "1" or not (ROOT / "alexnet_tf").is_dir()
PACKAGES, LEFT_OUT = ["alexnet_tf", "alexnet_tf.*", "preprocessing", "preprocessing.*"], []
if FOR_WORKER:  # and of preprocessing not what only a driver runs
    PACKAGES = ["preprocessing", "preprocessing.*"]
    LEFT_OUT = [f"preprocessing.{part}*" for part in ("benchmark", "inspection", "sample", "verbs")]
WORKER_REQUIREMENTS = [  # besides Beam, which a worker has, in the driver's version
    "google-crc32c>=1.5",
    "numpy>=1.26",
    "pillow>=10.1",
    "protobuf>=4.25",
    "scipy>=1.11",
    "tqdm>=4.66",
]

# onnx 1.19.0 does not load beside the ml_dtypes of TensorFlow 2.15, and does not say so.
ONNX = ["onnx>=1.18,!=1.19.0", "onnxruntime>=1.20"]
DASK = ["dask>=2024.4.2", "distributed>=2024.4.2"]  # as Beam's own extra has it

VERSION = re.search(r'"(\d.+?)"', (ROOT / "preprocessing/dataset/version.py").read_text())[1]
COMMANDS = ["preprocessing-worker = preprocessing.job.worker_process:main"]
DATA = {"preprocessing": ["py.typed"], "preprocessing.job": ["flink/pom.xml"]}
FOUND = find_packages(include=PACKAGES, exclude=LEFT_OUT)
if not FOR_WORKER:
    COMMANDS += ["alexnet = alexnet_tf.__main__:main", "alexnet-data = preprocessing.__main__:main"]
    DATA |= {"alexnet_tf": ["py.typed"], "alexnet_tf.configs": ["**/*.yaml"]}
    FOUND += ["alexnet_tf.configs"]  # configs/ of a clone, inside the installed package

setup(
    name="alexnet_tf_worker" if FOR_WORKER else "alexnet_tf",
    version=VERSION,
    description="AlexNet in TensorFlow, from the raw ImageNet archives to a served model",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    author="The alexnet_tf developers",
    keywords="alexnet imagenet tensorflow keras beam tfrecord classification",
    project_urls={
        "The paper": "https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks",
        "The 2012 source": "https://github.com/computerhistory/AlexNet-Source-Code",
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.14",
    packages=FOUND,
    package_dir={} if FOR_WORKER else {"alexnet_tf.configs": "configs"},
    package_data=DATA,
    entry_points={"console_scripts": COMMANDS},
    install_requires=WORKER_REQUIREMENTS
    if FOR_WORKER
    else [
        *WORKER_REQUIREMENTS,
        # Up to the newest version that was tested: local runs use parts of it that are no public
        # interface (job/runners.py, job/local_workers.py).
        "apache-beam>=2.60,<2.78",
        "h5py>=3.8",  # comes with Keras; import_weights reads Caffe's snapshots with it
        "keras>=2.15,<4",
        "matplotlib>=3.8",  # figures; 75 MB, imported only where one is drawn
        "pydantic>=2.6",
        "PyYAML>=6.0",
        "tabulate>=0.9",  # tables on the terminal and in reports
        "tensorboard>=2.15,<2.22",
        "tensorflow>=2.15,<2.22",
    ],
    extras_require={
        "dev": [
            *DASK,
            *ONNX,
            "ai-edge-litert>=1.2",
            "hypothesis>=6.100",
            "pytest>=8",
            "pytest-xdist>=3.8",
            "ruff>=0.6",
            "safetensors>=0.4",
            "scikit-image>=0.22",
            "scikit-learn>=1.4",
            "selenium>=4.20",
        ],
        # The support vector machines that `reproduce` sets beside the networks.
        "baselines": ["scikit-image>=0.22", "scikit-learn>=1.4"],
        "safetensors": ["safetensors>=0.4"],  # only for import_weights of such files
        "onnx": ONNX,  # export --onnx
        "litert": [
            "ai-edge-litert>=1.2"
        ],  # export --tflite checks with it rather than with tf.lite
        "profile": ["tensorboard-plugin-profile>=2.15"],  # the Profile tab of TensorBoard
        "cuda": ["tensorflow[and-cuda]>=2.15,<2.22"],
        "gcp": ["apache-beam[gcp]>=2.60,<2.78"],  # gs:// and Dataflow
        "aws": ["apache-beam[aws]>=2.60,<2.78"],  # s3://
        "dask": DASK,
        "hadoop": ["apache-beam[hadoop]>=2.60,<2.78"],  # hdfs://
        # TensorFlow Addons ended with 0.23.0, which imports only with TensorFlow 2.15 / Keras 2.15.
        "addons": [
            "tensorflow==2.15.1 ; python_version < '3.12'",
            "keras==2.15.0 ; python_version < '3.12'",
            "tensorflow-addons==0.23.0 ; python_version < '3.12'",
        ],
    },
)
