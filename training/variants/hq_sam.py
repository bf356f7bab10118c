"""HQ-SAM (Ke et al., NeurIPS 2023): one output token, one MLP, and a feature fused of three.

The same network as ``MaskDecoderHQ`` of the ``segment-anything-hq`` package and of the released training code, keys and
shapes included, but without SAM's own weights: those stay in the :class:`~hqdata.training.sam.FrozenSam`.
"""

from torch import Tensor, nn

from hqdata.training.decoder import Decoded, chosen, decode, of_prompts, product, sam_masks
from hqdata.training.encoder import Features
from hqdata.training.package import modeling
from hqdata.training.prompts import Encoded
from hqdata.training.sam import FrozenSam, seeded
from hqdata.training.size import SamSize
from hqdata.training.variants.outputs import Outputs


class HQHead(nn.Module):
    """What HQ-SAM adds to a SAM; all of it is trained.

    Args:
        size: of the SAM that it is added to.
        seed: of the first weights.
    """

    def __init__(self, size: SamSize, seed: int) -> None:
        super().__init__()
        wide, half, narrow = size.channels, size.channels // 4, size.channels // 8
        parts = modeling()
        norm = parts.common.LayerNorm2d
        with seeded(seed):
            self.hf_token = nn.Embedding(1, wide)
            self.hf_mlp = parts.mask_decoder.MLP(wide, wide, narrow, 3)
            self.compress_vit_feat = nn.Sequential(
                nn.ConvTranspose2d(size.width, wide, kernel_size=2, stride=2),
                norm(wide),
                nn.GELU(),
                nn.ConvTranspose2d(wide, narrow, kernel_size=2, stride=2),
            )
            self.embedding_encoder = nn.Sequential(
                nn.ConvTranspose2d(wide, half, kernel_size=2, stride=2),
                norm(half),
                nn.GELU(),
                nn.ConvTranspose2d(half, narrow, kernel_size=2, stride=2),
            )
            self.embedding_maskfeature = nn.Sequential(
                nn.Conv2d(narrow, half, kernel_size=3, padding=1),
                norm(half),
                nn.GELU(),
                nn.Conv2d(half, narrow, kernel_size=3, padding=1),
            )

    def forward(self, sam: FrozenSam, features: Features, prompts: Encoded) -> Tensor:
        """Predict the mask that is trained, and nothing else.

        Args:
            sam: the SAM that the head is added to.
            features: of B images.
            prompts: P of them; without ``prompts.image`` P is B.

        Returns:
            Logits ``[P, 1, S, S]`` at ``size.mask_side``.
        """
        return self._mask(features, prompts, self._decode(sam, features, prompts))

    def predict(self, sam: FrozenSam, features: Features, prompts: Encoded, *, multimask: bool = False) -> Outputs:
        """Predict everything that is scored.

        Args:
            sam: the SAM that the head is added to.
            features: of B images.
            prompts: P of them; without ``prompts.image`` P is B.
            multimask: whether SAM's own mask is the best of its three by predicted IoU, instead of its single one.
        """
        decoded = self._decode(sam, features, prompts)
        inside, iou = chosen(*sam_masks(sam.decoder, decoded), multimask=multimask)
        return Outputs(head=self._mask(features, prompts, decoded), sam_inside=inside, iou=iou)

    def _decode(self, sam: FrozenSam, features: Features, prompts: Encoded) -> Decoded:
        return decode(sam.decoder, features, prompts, extra=self.hf_token.weight)

    def _mask(self, features: Features, prompts: Encoded, decoded: Decoded) -> Tensor:
        """The product of the token's vector and the fused feature."""
        early = self.compress_vit_feat(features.early.permute(0, 3, 1, 2))
        of_image = self.embedding_encoder(features.final) + early
        fused = self.embedding_maskfeature(decoded.upscaled) + of_prompts(of_image, prompts)
        return product(self.hf_mlp(decoded.tokens[:, -1:]), fused)
