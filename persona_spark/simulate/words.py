"""What people write, in Chinese and English."""

from __future__ import annotations

REVIEWS = {
    "zh": {
        5: ("非常满意，会回购", "质量很好，物流很快", "超出预期，推荐购买", "包装精美，用着很舒服"),
        4: ("不错，性价比高", "整体满意，颜色稍有差别", "挺好用的，就是发货慢了点"),
        3: ("一般般，没有想象中好", "还可以吧，凑合用"),
        2: ("有点失望，和描述不太一样", "尺码不准，穿着不舒服"),
        1: ("质量太差，要求退货", "用了两天就坏了，客服也不理人"),
    },
    "en": {
        5: ("Love it, will buy again", "Great quality and fast delivery", "Exceeded my expectations"),
        4: ("Good value for money", "Happy overall, colour is a bit off"),
        3: ("It is okay, nothing special", "Average, does the job"),
        2: ("Rather disappointed, not as described", "Sizing is off"),
        1: ("Terrible quality, sent it back", "Broke after two days, service never answered"),
    },
}
RATINGS = (3, 4, 9, 26, 58)
"""Weights of one to five stars."""
COMMENTS = {
    "zh": ("主播推荐的这款好用吗？", "已下单，坐等收货", "价格真香", "求链接"),
    "en": ("Is this one any good?", "Just ordered mine", "What a price", "Link please"),
}
ENGLISH_SHARE = 0.2
CONTENT_TYPES = ("short_video", "image", "text", "live")
CONTENT_WEIGHTS = (50, 20, 14, 16)
