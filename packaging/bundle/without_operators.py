"""Stands for `torchvision._meta_registrations` in the package, which describes operators that the package leaves out: open_clip and
timm take only torchvision's transforms, and its operators would need the very build of torch that they were compiled for."""
