"""A GGUF file cut into parts, as llama.cpp's own tool cuts it: the key-value pairs in the first, tensors in all."""

from __future__ import annotations

from pathlib import Path

import gguf


def split(path: Path, folder: Path, count: int) -> list[Path]:
    """The parts, NAME-00001-of-0000N.gguf and so on, each with some of the tensors."""
    folder.mkdir()
    reader = gguf.GGUFReader(path)
    tensors = list(reader.tensors)
    files = []
    for number in range(count):
        files.append(folder / f"{path.stem}-{number + 1:05}-of-{count:05}.gguf")
        writer = gguf.GGUFWriter(files[-1], str(reader.fields["general.architecture"].contents()))
        if number == 0:
            _copy_pairs(reader, writer)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", count)
        writer.add_int32("split.tensors.count", len(tensors))
        for tensor in tensors[number::count]:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return files


def _copy_pairs(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        kind, element = field.types[0], field.types[-1]
        writer.add_key_value(field.name, field.contents(), kind, element if kind == gguf.GGUFValueType.ARRAY else None)
